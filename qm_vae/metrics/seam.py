"""Whether the edge of what was replaced shows, in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError

NEAR = (2, 3, 4)
"""How far beside the edge gradients are compared, pixels."""


def seam(image, mask) -> np.ndarray:
  """Gradient across the edge of a region over the gradients on either side of it, [N].

  For each pair of neighbouring pixels, one in the region and one outside, the absolute difference is compared with
  those of the pairs 2, 3 and 4 pixels on and back in the same direction. One grey level is added to both means, since
  rounding to 8 bits makes as much; flat pictures thus give 1. Where the region fades out over some pixels, give the
  mask at half its weight, and expect no seam.

  An image has edges of its own at the same place, a face's outline above all: read the value beside that of the
  original with the same mask.

  Args:
    image: uint8 [N, H, W, 3].
    mask: [N, H, W], [N, H, W, 1] or [H, W], bool or {0, 1}: what was replaced.

  Returns:
    float64 [N]: 1 invisible, more shows; NaN where a mask has no edge in its picture.

  Raises:
    ValueError: for shapes that do not fit, and masks of other values than 0 and 1.
  """
  image, mask = np.asarray(image), np.asarray(mask)
  mask = mask[..., 0] if mask.ndim == 4 else mask
  if image.ndim != 4 or mask.shape not in (image.shape[:3], image.shape[1:3]):
    raise InputError(f"images {image.shape} and masks {mask.shape}; give [N, H, W, 3] and [N, H, W] or [H, W]")
  if not np.isin(mask, (0, 1)).all():
    raise InputError("a mask with values other than 0 and 1; give the region itself, a soft one at half its weight")
  mask = np.broadcast_to(mask.astype(bool), image.shape[:3])
  return np.array([_seam(one.astype(np.float64), region) for one, region in zip(image, mask, strict=True)])


def _seam(image, region):
  across, beside = [], []
  for turned, inside in ((image, region), (image.swapaxes(0, 1), region.T)):  # pairs along rows, then along columns
    step = np.abs(np.diff(turned, axis=1)).mean(-1)
    row, column = np.nonzero(inside[:, 1:] != inside[:, :-1])
    across.append(step[row, column])
    for offset in (o for far in NEAR for o in (-far, far)):
      there = column + offset
      valid = (there >= 0) & (there < step.shape[1])
      beside.append(step[row[valid], there[valid]])
  across, beside = np.concatenate(across), np.concatenate(beside)
  return (across.mean() + 1) / (beside.mean() + 1) if len(across) and len(beside) else np.nan
