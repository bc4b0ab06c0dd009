"""What a face looks like, small: enough to see that somebody else is there, never enough to know who it is."""

import numpy as np

_SIDE = 12  # cells of the portrait
_SAMPLES = 4  # pixels a cell's side, at most
_AROUND = 0.15  # share of the box that is looked at around it


def describe(picture: np.ndarray, box: np.ndarray) -> np.ndarray | None:
  """The portrait of a box: colours of 12 by 12 cells without their mean, of length 1.

  Args:
    picture: uint8 [H, W, 3].
    box: [4], x, y, width, height in pixels.

  Returns:
    float32 [432], or None where less than half of the box lies in the picture, or it is plain.
  """
  low, side = np.asarray(box[:2], float), np.asarray(box[2:], float)
  low, side = low - _AROUND * side, side * (1 + 2 * _AROUND)
  steps = (np.arange(_SIDE * _SAMPLES) + 0.5) / (_SIDE * _SAMPLES)
  columns, rows = (np.floor(low[i] + side[i] * steps).astype(int) for i in range(2))
  seen = [(at >= 0) & (at < length) for at, length in zip((rows, columns), picture.shape[:2], strict=True)]
  if min(known.mean() for known in seen) < 0.5:
    return None
  rows, columns = (np.clip(at, 0, length - 1) for at, length in zip((rows, columns), picture.shape[:2], strict=True))
  few = picture[rows[:, None], columns].reshape(_SIDE, _SAMPLES, _SIDE, _SAMPLES, 3)
  cells = few.mean((1, 3), dtype=np.float32).reshape(-1)
  cells -= cells.mean()
  length = float(np.linalg.norm(cells))
  return cells / length if length > _SIDE * 3 else None  # a standard deviation of about two grey levels
