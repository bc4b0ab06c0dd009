"""Regions of a face that is placed by its eyes, in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError

OVAL = (0.45, 1.0, 1.3)
"""The face without hair and ears: distance of its centre below the eyes, half width, half height; eye distances."""

CHEEKS = (0.25, 0.8, 0.7)
"""Skin between eyes and mouth: from, to (below the eyes), half width; eye distances."""

_BROWS_AND_EYES = (-0.55, 0.2, 0.15, 0.85)  # from, to below the eyes; from, to aside of the middle
_MOUTH = (0.85, 1.35, 0.55)  # from, to below the eyes; half width


def coordinates(eyes, shape) -> np.ndarray:
  """Where each pixel lies in the face: x along the line of the eyes, y down from it, in eye distances.

  Args:
    eyes: [..., 4], pixels: x, y of the eye at the image's left, x, y of the one at its right; the centre of pixel i is
      at i + 0.5.
    shape: (height, width) of the image.

  Returns:
    float64 [..., height, width, 2]; the origin is midway between the eyes.

  Raises:
    ValueError: for another shape, and for eyes that are not finite or less than a pixel apart.
  """
  eyes = np.asarray(eyes, np.float64)
  if eyes.shape[-1:] != (4,):
    raise InputError(f"eyes of shape {eyes.shape}; give [..., 4]: x, y left, x, y right")
  left, right = eyes[..., :2], eyes[..., 2:]
  across = right - left
  squared = np.square(across).sum(-1)
  if not (np.isfinite(eyes).all() and np.all(squared >= 1)):
    raise InputError("eyes that are not finite or less than a pixel apart; leave out faces that were not found")
  rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
  offset = np.stack([columns, rows], -1) - ((left + right) / 2)[..., None, None, :]
  unit = (across / squared[..., None])[..., None, None, :]
  return np.stack([(offset * unit).sum(-1), offset[..., 1] * unit[..., 0] - offset[..., 0] * unit[..., 1]], -1)


def radius(eyes, shape) -> np.ndarray:
  """Distance from the centre of the face's oval, [..., height, width]: 1 on its edge; arguments of `coordinates`."""
  centre, wide, high = OVAL
  x, y = np.moveaxis(coordinates(eyes, shape), -1, 0)
  return np.hypot(x / wide, (y - centre) / high)


def cheeks(eyes, shape) -> np.ndarray:
  """Skin between eyes and mouth, bool [..., height, width]; arguments of `coordinates`."""
  top, bottom, wide = CHEEKS
  x, y = np.moveaxis(coordinates(eyes, shape), -1, 0)
  return (y >= top) & (y <= bottom) & (np.abs(x) <= wide)


def skin(eyes, shape) -> np.ndarray:
  """The oval without brows, eyes and mouth, bool [..., height, width]; arguments of `coordinates`."""
  x, y = np.moveaxis(coordinates(eyes, shape), -1, 0)
  x = np.abs(x)
  top, bottom, inner, outer = _BROWS_AND_EYES
  eye = (y >= top) & (y <= bottom) & (x >= inner) & (x <= outer)
  top, bottom, wide = _MOUTH
  mouth = (y >= top) & (y <= bottom) & (x <= wide)
  return (radius(eyes, shape) <= 1) & ~eye & ~mouth
