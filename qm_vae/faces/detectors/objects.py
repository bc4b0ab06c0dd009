"""Other things that tell who somebody is, such as number plates: classes of an object detector in an ONNX file."""

import ast
import hashlib
import os
from collections.abc import Sequence

import cv2
import numpy as np

from qm_vae.errors import InputError
from qm_vae.faces.detectors import heads, runtime
from qm_vae.io import onnx
from qm_vae.types import Detections, Detector

_SIDE = 640  # pixels of a network whose file states no size
_GREY = 114  # of the bars beside a picture of another shape
_THRESHOLD = 0.25


def of_file(
  path: str | os.PathLike,
  classes: Sequence[str],
  *,
  threshold: float = _THRESHOLD,
  min_size: int = 12,
  provider: str = runtime.AUTO,
  threads: int | None = None,
) -> Detector:
  """The detector of some classes of a YOLO network.

  Its input is a picture, RGB 0..1, fitted into the size that the file states (else 640 x 640) with grey bars. Three
  outputs are understood: [1, 4 + C, N] (centre, size, a score for each class: YOLOv8 and later), [1, N, 5 + C]
  (the same with a score of there being anything: YOLOv5, v7), and [1, N, 6] (corners, score, class: with the choice
  among overlapping boxes made).

  Args:
    path: the file.
    classes: their numbers, or their names where the file's `names` has them.
    threshold: score in (0, 1) from which a thing is believed by itself.
    min_size: pixels of the frame; smaller things are passed over.
    provider: see runtime.open_file.
    threads: see runtime.open_file.

  Raises:
    ValueError: for a file that is missing or of another form, and for classes that it does not have, naming those that
      it has. The detector's `find` raises it for answers that are not finite or out of range.
  """
  path, model = runtime.read(path)
  opened = runtime.open_file(path, model, provider, threads)
  session = opened.fixed
  taken, given = [i.shape for i in session.get_inputs()], [o.shape for o in session.get_outputs()]
  if len(taken) != 1 or len(taken[0]) != 4 or taken[0][1] != 3 or len(given) != 1 or len(given[0]) != 3:
    raise InputError(
      f"{path} takes {taken} and gives {given}; understood are YOLO's [B, 3, H, W] and one list of boxes"
    )
  height, width = (side if isinstance(side, int) else _SIDE for side in taken[0][2:])
  names = _names(onnx.words(path, session).get("names", ""))
  numbers = [_number(path, one, names) for one in classes]
  name, weak = session.get_inputs()[0].name, threshold / 2

  def find(image):
    scale = min(width / image.shape[1], height / image.shape[0])
    (found,) = onnx.answers(path, session, None, {name: _fitted(image, scale, width, height)})
    boxes, scores = _decoded(path, np.asarray(found)[0], numbers, len(names))
    believed = (scores >= weak) & (boxes[:, 2:].max(-1, initial=0) >= min_size * scale) & (boxes[:, 2:] > 0).all(-1)
    boxes, scores = boxes[believed] / scale, scores[believed]
    kept = heads.distinct(boxes, scores)
    return Detections(boxes[kept].astype(np.float32), scores[kept].astype(np.float32))

  description = {"name": path.name, "sha256": hashlib.sha256(model).hexdigest(), "classes": list(classes)}
  description |= {"threshold": threshold, "min_size": min_size, "provider": opened.provider}
  return Detector(find, threshold, weak, description)


def beside(faces: Detector, things: Detector) -> Detector:
  """Faces and things found together; a thing is as sure as a face at its own threshold."""
  share = faces.strong / things.strong

  def find(image):
    one, other = faces.find(image), things.find(image)
    scores = np.minimum(other.scores * share, 1.0).astype(np.float32)
    return Detections(np.concatenate([one.boxes, other.boxes]), np.concatenate([one.scores, scores]))

  return faces._replace(find=find, description=faces.description | {"objects": things.description})


def _names(text):
  """The classes' names as Ultralytics writes them: a dict of Python's."""
  try:
    found = ast.literal_eval(text) if text and len(text) < 2**16 else {}
  except (ValueError, SyntaxError, MemoryError, RecursionError):
    return {}
  if not isinstance(found, dict):
    return {}
  return {number: str(name) for number, name in found.items() if isinstance(number, int)}


def _number(path, wanted, names):
  for number, name in names.items():
    if wanted in (name, str(number)):
      return number
  if wanted.isdecimal() and not names:
    return int(wanted)
  known = ", ".join(f"{number} {name}" for number, name in list(names.items())[:40]) or "no names: give a number"
  raise InputError(f"{path} has no class {wanted!r}; it has {known}")


def _fitted(image, scale, width, height):
  """float32 [1, 3, height, width] in [0, 1]; the picture in the upper left corner."""
  size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
  made = np.full((height, width, 3), _GREY, np.uint8)
  made[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
  return np.ascontiguousarray(made.transpose(2, 0, 1)[None], np.float32) / 255


def _decoded(path, found, numbers, known):
  """(boxes [N, 4] x, y, width, height in pixels of the input, scores [N]) of the wanted classes."""
  if not np.isfinite(found).all():
    raise InputError(f"the object detector {path.name} answers with numbers that are not finite; its file is damaged")
  if found.shape[1] == 6 and known != 1:  # with one class, 6 columns are a centre, a size and two scores
    wanted = np.isin(np.rint(found[:, 5]).astype(int), numbers)
    corners, scores = found[wanted, :4], found[wanted, 4]
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], -1), _checked(path, scores)
  rows = found.T if found.shape[0] < found.shape[1] else found
  objectness = found.shape[0] >= found.shape[1]
  by_class = rows[:, 5:] * rows[:, 4:5] if objectness else rows[:, 4:]
  if not by_class.shape[1] or max(numbers) >= by_class.shape[1]:
    raise InputError(
      f"the object detector {path.name} knows {by_class.shape[1]} classes, not the number {max(numbers)}"
    )
  scores = _checked(path, by_class[:, numbers].max(-1))
  return np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, 2:4]], -1), scores


def _checked(path, scores):
  if scores.size and not (scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
    raise InputError(f"the object detector {path.name} answers with scores outside [0, 1]; its file is damaged")
  return np.clip(scores, 0, 1)
