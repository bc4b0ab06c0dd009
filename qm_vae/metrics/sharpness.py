"""How much fine detail a face has kept: energy of high spatial frequencies, in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import color, face_region

ABOVE = 0.5  # of the Nyquist frequency


def detail(image, eyes, above: float = ABOVE) -> np.ndarray:
  """Energy of a face's lightness at high spatial frequencies, [N].

  L* is centred and windowed by a raised cosine over the face's oval, so that neither background nor a border counts;
  the power of its spectrum is summed over radial frequencies of at least `above` of Nyquist's (corners included).

  Args:
    image: uint8 [N, H, W, 3] RGB.
    eyes: [N, 4] pixels, as for `face_region.coordinates`.
    above: in [0, 1); 0 takes all, the energy of the windowed face itself.

  Returns:
    float64 [N], mean squared L* under the window.

  Raises:
    ValueError: for an oval outside the picture, `above` outside [0, 1), and as `face_region.coordinates`.
  """
  if not 0 <= above < 1:
    raise InputError(f"detail above {above} of the Nyquist frequency; give a share in [0, 1)")
  return np.array([_detail(one, place, above) for one, place in zip(image, eyes, strict=True)])


def detail_kept(original, output, eyes, above: float = ABOVE) -> np.ndarray:
  """`detail` of the output over that of the original, [N]: 1 as sharp, less is smooth, more is noise or edges.

  Both are uint8 [N, H, W, 3] at one size, read at the original's eyes; infinite or NaN where an original has none.

  Raises:
    ValueError: as `detail`.
  """
  with np.errstate(divide="ignore", invalid="ignore"):
    return detail(output, eyes, above) / detail(original, eyes, above)


def _detail(image, eyes, above):
  height, width = image.shape[:2]
  radius = face_region.radius(eyes, (height, width))
  window = np.where(radius < 1, (1 + np.cos(np.pi * np.minimum(radius, 1))) / 2, 0)
  if not window.any():
    raise InputError(
      f"eyes at {np.asarray(eyes).tolist()} place the face outside a picture of {image.shape[:2]} pixels"
    )
  lightness = color.lab(image)[..., 0]
  lightness = window * (lightness - (window * lightness).sum() / window.sum())
  power = np.square(np.abs(np.fft.fft2(lightness)))
  frequency = np.hypot(2 * np.fft.fftfreq(height)[:, None], 2 * np.fft.fftfreq(width))
  return power[frequency >= above].sum() / (height * width) / np.square(window).sum()
