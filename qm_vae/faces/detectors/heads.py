"""From the outputs of a face detection network to boxes."""

from collections.abc import Sequence

import numpy as np

_STRIDE = 4  # pixels of the input that one cell of CenterFace's maps stands for
_OVERLAP = 0.3  # intersection over union from which two boxes are one face


def centerface(outputs: Sequence[np.ndarray], weak: float) -> tuple[np.ndarray, np.ndarray]:
  """Boxes of CenterFace's heatmap [1, h, w], log sizes [2, h, w] and offsets [2, h, w], for one image.

  Returns:
    boxes float32 [M, 4] (x, y, width, height, pixels of the network's input) and scores float32 [M], at least `weak`.

  Source: Xu et al. 2019, "CenterFace: joint face detection and alignment using face as point", Sec. 3.
  """
  heat, size, offset = outputs[:3]
  rows, columns = np.nonzero(heat[0] >= weak)
  height, width = np.exp(size[:, rows, columns]) * _STRIDE
  y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE - height / 2
  x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE - width / 2
  return np.stack([x, y, width, height], -1).astype(np.float32), heat[0, rows, columns]


def pairs(boxes: np.ndarray, scores: np.ndarray, weak: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
  """Boxes of a network that lists them, for one image.

  Args:
    boxes: [N, 4], left, top, right, bottom: shares of the sides where none exceeds 2, else pixels of the input.
    scores: [N] or [N, C]; of several classes the last is the face.
    weak: scores below it are left out.
    size: (width, height) of the input, pixels.
  """
  scores = scores.reshape(len(boxes), -1)[:, -1]
  believed = scores >= weak
  corners, scores = boxes[believed].astype(np.float32), scores[believed].astype(np.float32)
  if len(boxes) and np.abs(boxes).max() <= 2:
    corners = corners * np.tile(np.asarray(size, np.float32), 2)
  return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], -1), scores


def distinct(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """int [K]: the boxes that overlap no surer one by more than 0.3 of their union, the surest first."""
  order, kept = np.argsort(-scores, kind="stable"), []
  while len(order):
    kept.append(order[0])
    order = order[1:][overlap(boxes[order[0]], boxes[order[1:]]) < _OVERLAP]
  return np.array(kept, np.int64)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """Intersection over union [M] of a box [4] with boxes [M, 4], each x, y, width, height."""
  low = np.maximum(box[:2], boxes[:, :2])
  high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
  shared = np.maximum(high - low, 0).prod(-1)
  return shared / np.maximum(box[2:].prod() + boxes[:, 2:].prod(-1) - shared, 1e-9)
