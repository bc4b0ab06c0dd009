"""Large pictures searched piece by piece, at the scale at which the smallest wanted faces are found."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from qm_vae.faces.detectors import heads
from qm_vae.types import Detections, Detector

_STEP = 8  # at most, between the scales of two searches
_ROOM = 1.5  # sides of the largest face that only the tiles find, by which they overlap
_EXPLAINED = 0.5  # share of a cut face's area that lies in a whole one
_BORDER = 2  # pixels of a tile; what reaches so close to its edge may be half a face


def smallest(description: dict[str, Any], size: tuple[int, int]) -> float | None:
  """Pixels of the frame: the longer side of the smallest face that is found in a frame of `size` (width, height).

  Args:
    description: of a detector. `sees` is the smallest face in the searched picture, `max_side` or `input` (height,
      width) the largest picture that is searched at once, `enlarge` how much smaller ones are enlarged for it,
      `min_size` what is passed over, `tiled` whether `tiled` made it.

  Returns:
    None for a detector that does not say what it sees.
  """
  shrunk = _shrunk(description, size)
  if shrunk is None:
    return None
  seen = description["sees"] / (_scales(description, size)[-1] if description.get("tiled") else shrunk)
  return max(float(description["min_size"]), seen)


def tiled(detector: Detector) -> Detector:
  """The detector, which searches a larger picture whole, and then in tiles at finer scales.

  The last scale is the one at which faces of `min_size` pixels are found, at most the picture's own unless the detector
  enlarges. Tiles overlap by more than the faces that the scale before does not find, so that every face lies whole in
  one tile. A detector that does not say what it sees, or sees faces of `min_size` in the whole picture, searches that
  alone.
  """
  description = detector.description | {"tiled": True}
  if _shrunk(description, (1, 1)) is None:
    return detector

  def find(image):
    scales = _scales(description, image.shape[1::-1])
    found, cut = [detector.find(image)], []
    for before, scale in itertools.pairwise(scales):
      for tile in _tiles(description, image.shape[1::-1], before, scale):
        whole, partial = _in_tile(detector, image, tile)
        found.append(whole)
        cut.append(partial)
    return found[0] if len(found) == 1 else _merged(_joined(found), _joined(cut))

  return detector._replace(find=find, description=description)


def _shrunk(description, size):
  """By what a frame is multiplied for a whole search; None where the detector does not say."""
  if "sees" not in description:
    return None
  if "input" in description:
    return min(description["input"][1] / size[0], description["input"][0] / size[1])
  return min(description.get("enlarge", 1.0), description["max_side"] / max(size))


def _scales(description, size):
  """Of the whole search, then of those in tiles, up to what `min_size` needs."""
  whole = _shrunk(description, size) or 1.0
  last = max(whole, min(description.get("enlarge", 1.0), description["sees"] / description["min_size"]))
  count = math.ceil(math.log(last / whole, _STEP) - 1e-9)
  return [whole * (last / whole) ** (i / max(count, 1)) for i in range(count + 1)]


def _tiles(description, size, before, scale) -> Iterator[tuple[int, int, int, int]]:
  """(left, top, right, bottom) in pixels of the frame; at `scale` each is as large as one search may be.

  They overlap by more than the faces that the search at the scale `before` does not find.
  """
  height, width = description.get("input") or [description["max_side"]] * 2
  overlap = _ROOM * scale / before * description["sees"]
  columns, rows = (
    _spans(length, side / scale, min(overlap, side / 2) / scale)
    for length, side in zip(size, (width, height), strict=True)
  )
  for top, bottom in rows:
    for left, right in columns:
      yield left, top, right, bottom


def _spans(length, side, overlap):
  """Evenly spread spans of at most `side` that cover 0..length and overlap by at least `overlap`."""
  side = int(min(side, length))
  count = max(math.ceil((length - overlap) / max(side - overlap, 1)), 1)
  starts = np.rint(np.linspace(0, length - side, count)).astype(int)
  return [(int(start), int(start) + side) for start in starts]


def _in_tile(detector, image, tile):
  """What is found in a tile, and apart from it what its inner edges cut: a neighbour may have that whole."""
  left, top, right, bottom = tile
  found = detector.find(np.ascontiguousarray(image[top:bottom, left:right]))
  low, high = found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]
  cut = (low < _BORDER) & (np.array([left, top]) > 0)
  cut |= (high > np.array([right - left, bottom - top]) - _BORDER) & (np.array([right, bottom]) < image.shape[1::-1])
  partial = cut.any(-1)
  boxes = found.boxes + np.array([left, top, 0, 0], found.boxes.dtype)
  return tuple(Detections(boxes[which], found.scores[which]) for which in (~partial, partial))


def _joined(found):
  boxes, scores = (np.concatenate(one) for one in zip(*(one[:2] for one in found), strict=True))
  return Detections(boxes, scores)


def _merged(whole, cut):
  """Each face once; of what was cut, only what no whole face explains."""
  kept = heads.distinct(whole.boxes, whole.scores)
  boxes, scores = whole.boxes[kept], whole.scores[kept]
  for i in heads.distinct(cut.boxes, cut.scores):
    if not len(boxes) or heads.inside(cut.boxes[i], boxes).max() < _EXPLAINED:
      boxes, scores = np.concatenate([boxes, cut.boxes[i : i + 1]]), np.append(scores, cut.scores[i])
  return Detections(boxes, scores.astype(np.float32))
