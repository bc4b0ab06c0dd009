"""From the outputs of a face detection network to boxes."""

from collections.abc import Sequence

import numpy as np

from qm_vae.errors import InputError

_DAMAGED = "its file is damaged"
_STRIDE = 4  # pixels of the input that one cell of CenterFace's maps stands for
_ROUNDING = 1e-3  # by which a score may lie outside [0, 1]
_OVERLAP = 0.3  # intersection over union from which two boxes are one face


def centerface(outputs: Sequence[np.ndarray], weak: float) -> tuple[np.ndarray, np.ndarray]:
  """Boxes of CenterFace's heatmap [1, h, w], log sizes [2, h, w] and offsets [2, h, w], for one image.

  Returns:
    boxes float32 [M, 4] (x, y, width, height, pixels of the network's input) and scores float32 [M], at least `weak`.

  Raises:
    ValueError: for maps of different sides, a heatmap that leaves [0, 1], or sizes that overflow.

  Source: Xu et al. 2019, "CenterFace: joint face detection and alignment using face as point", Sec. 3.
  """
  heat, size, offset = outputs[:3]
  sides = heat.shape[1:]
  if (heat.shape, size.shape, offset.shape) != ((1, *sides), (2, *sides), (2, *sides)):
    raise InputError(f"the face detector answers with maps {heat.shape}, {size.shape}, {offset.shape}; {_DAMAGED}")
  heat = _probabilities(heat)
  rows, columns = np.nonzero(heat[0] >= weak)
  with np.errstate(over="ignore"):
    height, width = np.exp(size[:, rows, columns]) * _STRIDE
  y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE - height / 2
  x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE - width / 2
  boxes = np.stack([x, y, width, height], -1).astype(np.float32)
  if not np.isfinite(boxes).all():
    raise InputError(f"the face detector answers with sizes that are not finite; {_DAMAGED}")
  return boxes, heat[0, rows, columns]


def centerface_points(outputs: Sequence[np.ndarray], boxes: np.ndarray, weak: float) -> np.ndarray:
  """Five points of every face that `centerface` finds, float32 [M, 5, 2], pixels of the network's input.

  Args:
    outputs: CenterFace's four maps; the last, [10, h, w], has y and x of each point from the box's corner, as shares of
      its sides.
    boxes: [M, 4], as `centerface` returned them for the same `outputs` and `weak`.
    weak: as for `centerface`.

  Raises:
    ValueError: for a map of points with other sides than the heatmap's.

  Source: the decoding of the authors' own prj-python/centerface.py.
  """
  heat, points = outputs[0], outputs[3]
  if points.shape != (10, *heat.shape[1:]):
    raise InputError(f"the face detector answers with maps {heat.shape} and {points.shape}; {_DAMAGED}")
  rows, columns = np.nonzero(_probabilities(heat)[0] >= weak)
  shares = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
  return (boxes[:, None, :2] + shares * boxes[:, None, 2:]).astype(np.float32)


def pairs(boxes: np.ndarray, scores: np.ndarray, weak: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
  """Boxes of a network that lists them, for one image.

  Args:
    boxes: [N, 4], left, top, right, bottom: shares of the sides where none exceeds 2, else pixels of the input.
    scores: [N] or [N, C]; of several classes the last is the face.
    weak: scores below it are left out.
    size: (width, height) of the input, pixels.

  Raises:
    ValueError: for lists of different lengths, or scores outside [0, 1].
  """
  if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.ndim not in (1, 2) or len(scores) != len(boxes):
    raise InputError(f"the face detector answers with boxes {boxes.shape} and scores {scores.shape}; {_DAMAGED}")
  scores = _probabilities(scores)
  scores = scores.reshape(len(boxes), -1)[:, -1]
  believed = scores >= weak
  corners, scores = boxes[believed].astype(np.float32), scores[believed].astype(np.float32)
  if len(boxes) and np.abs(boxes).max() <= 2:
    corners = corners * np.tile(np.asarray(size, np.float32), 2)
  return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], -1), scores


def _probabilities(scores):
  """The scores, rounding errors cut off."""
  if scores.size and not (scores.min() >= -_ROUNDING and scores.max() <= 1 + _ROUNDING):
    raise InputError(
      f"the face detector answers with scores from {scores.min():g} to {scores.max():g}, not in [0, 1]; {_DAMAGED}, or "
      "it gives logits: export it with its last sigmoid or softmax"
    )
  return np.clip(scores, 0, 1)


def distinct(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """int [K]: the boxes that overlap no surer one by more than 0.3 of their union, the surest first."""
  order, kept = np.argsort(-scores, kind="stable"), []
  while len(order):
    kept.append(order[0])
    order = order[1:][overlap(boxes[order[0]], boxes[order[1:]]) < _OVERLAP]
  return np.array(kept, np.int64)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """Intersection over union [M] of a box [4] with boxes [M, 4], each x, y, width, height."""
  shared = _shared(box, boxes)
  return shared / np.maximum(box[2:].prod() + boxes[:, 2:].prod(-1) - shared, 1e-9)


def inside(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """Share [M] of a box [4] that lies in each of the boxes [M, 4]."""
  return _shared(box, boxes) / max(box[2:].prod(), 1e-9)


def _shared(box, boxes):
  low = np.maximum(box[:2], boxes[:, :2])
  high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
  return np.maximum(high - low, 0).prod(-1)
