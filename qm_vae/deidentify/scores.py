"""Scores drawn into a picture, for those who choose a threshold."""

from collections.abc import Sequence

import numpy as np

_HEIGHT, _WIDTH = 5, 3  # pixels of a digit, before it is enlarged
_ROWS = {
  "0": (7, 5, 5, 5, 7), "1": (2, 6, 2, 2, 7), "2": (7, 1, 7, 4, 7), "3": (7, 1, 7, 1, 7), "4": (5, 5, 7, 1, 1),
  "5": (7, 4, 7, 1, 7), "6": (7, 4, 7, 5, 7), "7": (7, 1, 1, 1, 1), "8": (7, 5, 7, 5, 7), "9": (7, 5, 7, 1, 7),
  ".": (0, 0, 0, 0, 2),
}  # fmt: skip
"""Rows of each character from the top, three bits each."""


def draw(picture: np.ndarray, boxes: Sequence[np.ndarray], scores: Sequence[float]) -> None:
  """Writes each score, such as 0.87, into the top left corner of its box, white on black; changes the picture.

  Args:
    picture: uint8 [H, W, 3] RGB.
    boxes: [4] each, x, y, width, height in pixels; they may reach beyond the picture.
    scores: in [0, 1].
  """
  height, width = picture.shape[:2]
  for box, score in zip(boxes, scores, strict=True):
    label = _label(f"{score:.2f}")
    label = label.repeat(times := max(round(float(box[2]) / 60), 1), 0).repeat(times, 1)[:height, :width]
    y = int(np.clip(box[1], 0, height - label.shape[0]))
    x = int(np.clip(box[0], 0, width - label.shape[1]))
    picture[y : y + label.shape[0], x : x + label.shape[1]] = label[..., None]


def _label(text):
  """uint8 [7, 4 N + 1]: the text with a dark border."""
  made = np.zeros((_HEIGHT + 2, len(text) * (_WIDTH + 1) + 1), np.uint8)
  for i, character in enumerate(text):
    bits = [[row >> shift & 1 for shift in (2, 1, 0)] for row in _ROWS[character]]
    made[1:-1, 1 + i * (_WIDTH + 1) : 1 + i * (_WIDTH + 1) + _WIDTH] = np.array(bits, np.uint8) * 255
  return made
