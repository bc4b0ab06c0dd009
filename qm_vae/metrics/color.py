"""Colour as people see it: CIE Lab, differences of it, and the skin's; in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import face_region

_TO_XYZ = np.array(
  [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65, 2 degrees


def linear(image) -> np.ndarray:
  """Linear light, float64 in [0, 1], of sRGB: uint8 in 0..255, or floating point in [0, 1].

  Source: IEC 61966-2-1.
  """
  image = np.asarray(image)
  values = image / 255 if image.dtype == np.uint8 else image.astype(np.float64)
  return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def luminance(image) -> np.ndarray:
  """Relative luminance Y, float64 [...] in [0, 1], of sRGB [..., 3] as for `linear`."""
  return linear(image) @ _TO_XYZ[1]


def lab(image) -> np.ndarray:
  """CIE L*a*b* under D65, float64 [..., 3], of sRGB [..., 3] as for `linear`: L in [0, 100].

  Source: CIE 15:2004; the sRGB primaries of IEC 61966-2-1.
  """
  ratio = linear(image) @ _TO_XYZ.T / _WHITE
  x, y, z = np.moveaxis(np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29), -1, 0)
  return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def delta_e(lab1, lab2) -> np.ndarray:
  """CIEDE2000 colour difference [...] of L*a*b* [..., 3]: 1 is about what an eye can just tell.

  Source: Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula", Eqs. (2) to (22); k_L = k_C = k_H = 1.
  """
  (l1, a1, b1), (l2, a2, b2) = np.moveaxis(lab1, -1, 0), np.moveaxis(lab2, -1, 0)
  chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
  stretch = 1 + (1 - np.sqrt(chroma7 / (chroma7 + 25.0**7))) / 2
  a1, a2 = stretch * a1, stretch * a2
  c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
  h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
  coloured = c1 * c2 > 0
  turn = np.where(coloured, (h2 - h1 + 180) % 360 - 180, 0)
  hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
  # The mean hue lies in the smaller angle between the two; without colour it is their sum, which then has no weight.
  mean_hue = np.where(coloured, np.where(np.abs(h1 - h2) > 180, (h1 + h2 + 360) / 2 % 360, (h1 + h2) / 2), h1 + h2)
  cosine = lambda degrees: np.cos(np.radians(degrees))
  t = 1 - 0.17 * cosine(mean_hue - 30) + 0.24 * cosine(2 * mean_hue)
  t = t + 0.32 * cosine(3 * mean_hue + 6) - 0.2 * cosine(4 * mean_hue - 63)
  lightness, chroma = ((l1 + l2) / 2 - 50) ** 2, (c1 + c2) / 2
  s_l, s_c, s_h = 1 + 0.015 * lightness / np.sqrt(20 + lightness), 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
  rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
  rotation = rotation * np.sin(np.radians(60 * np.exp(-(((mean_hue - 275) / 25) ** 2))))
  dl, dc, dh = (l2 - l1) / s_l, (c2 - c1) / s_c, hue / s_h
  return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rotation * dc * dh, 0))


def skin(image, eyes) -> np.ndarray:
  """Mean L*a*b* of the skin between eyes and mouth.

  Args:
    image: uint8 [N, H, W, 3] RGB.
    eyes: [N, 4] pixels, as for `face_region.coordinates`.

  Returns:
    float64 [N, 3].

  Raises:
    ValueError: where that skin lies outside a picture, and as `face_region.coordinates`.
  """
  return np.stack([lab(one[_cheeks(place, one.shape[:2])]).mean(0) for one, place in zip(image, eyes, strict=True)])


def skin_difference(original, output, eyes) -> np.ndarray:
  """CIEDE2000 difference [N] of the mean skin of faces before and after, both uint8 [N, H, W, 3], as `skin` takes it.

  Both are read at the original's eyes: where an output's face lies elsewhere, its colour there counts.

  Raises:
    ValueError: as `skin`.
  """
  return delta_e(skin(original, eyes), skin(output, eyes))


def _cheeks(eyes, shape):
  inside = face_region.cheeks(eyes, shape)
  if not inside.any():
    raise InputError(f"eyes at {np.asarray(eyes).tolist()} place the cheeks outside a picture of {shape} pixels")
  return inside
