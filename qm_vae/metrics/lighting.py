"""Where the light on a face comes from: first-order spherical harmonics over an ellipsoid, in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import color, face_region

BULGE = 1.0  # half depth of the head's ellipsoid, eye distances: as deep as wide


def normals(eyes, shape) -> np.ndarray:
  """Unit normals of the ellipsoid that bulges from the face's oval towards the camera.

  Args:
    eyes, shape: as for `face_region.coordinates`.

  Returns:
    float64 [..., height, width, 3]: x to the image's right, y down the image, z towards the camera; NaN outside the
    oval. A head that leans has a leaning oval; the axes stay those of the image.
  """
  centre, wide, high = face_region.OVAL
  x, y = np.moveaxis(face_region.coordinates(eyes, shape), -1, 0)
  y = y - centre
  left = 1 - np.square(x / wide) - np.square(y / high)
  z = np.sqrt(np.where(left >= 0, left, np.nan)) * BULGE
  gradient = np.stack([x / wide**2, y / high**2, z / BULGE**2], -1)
  gradient /= np.linalg.norm(gradient, axis=-1, keepdims=True)
  across = np.asarray(eyes, np.float64)[..., 2:] - np.asarray(eyes, np.float64)[..., :2]
  cosine, sine = np.moveaxis(across / np.linalg.norm(across, axis=-1, keepdims=True), -1, 0)[..., None, None]
  gx, gy, gz = np.moveaxis(gradient, -1, 0)
  return np.stack([cosine * gx - sine * gy, sine * gx + cosine * gy, gz], -1)


def light(image, eyes) -> np.ndarray:
  """First-order light on faces: its direction, and its strength relative to the constant part.

  Luminance = b0 + b . n is fitted by least squares to the skin (oval without brows, eyes and mouth), n the normals of
  `normals`, the albedo one for all skin; what comes back is b / mean luminance, so that exposure drops out. Beards,
  fringes and cast shadows count as light; the ellipsoid is no nose. So read differences between a face before and
  after, not the values, and beside those of other people's faces.

  Args:
    image: uint8 [N, H, W, 3] RGB.
    eyes: [N, 4] pixels, as for `face_region.coordinates`.

  Returns:
    float64 [N, 3], x to the image's right, y down, z towards the camera; 0 for a black or an even face.

  Raises:
    ValueError: where fewer than 16 pixels of skin lie in a picture, and as `face_region.coordinates`.

  Source: Basri and Jacobs 2003, "Lambertian reflectance and linear subspaces": the first four harmonics are 1 and n.
  """
  return np.stack([_light(one, place) for one, place in zip(image, eyes, strict=True)])


def _light(image, eyes):
  shape = image.shape[:2]
  inside = face_region.skin(eyes, shape)
  if inside.sum() < 16:
    raise InputError(f"eyes at {np.asarray(eyes).tolist()} leave no skin in a picture of {shape} pixels")
  values = color.luminance(image[inside])
  basis = np.c_[np.ones(len(values)), normals(eyes, shape)[inside]]
  return np.linalg.lstsq(basis, values, rcond=None)[0][1:] / max(values.mean(), 1e-6)


def light_angle(original, output, eyes) -> np.ndarray:
  """Angle between the directions of light before and after, [N] in [0, 180] degrees; arguments as for `light`.

  Both are read at the original's eyes. Where a face is lit evenly the direction is noise: see `light_difference`.

  Raises:
    ValueError: as `light`.
  """
  a, b = light(original, eyes), light(output, eyes)
  return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def light_difference(original, output, eyes) -> np.ndarray:
  """Length of the difference of `light` before and after, [N]: direction and strength at once; arguments as `light`.

  Raises:
    ValueError: as `light`.
  """
  return np.linalg.norm(light(original, eyes) - light(output, eyes), axis=-1)
