"""Face detectors by name or by file. Each is `make(...) -> types.Detector`; the contract is types.Detector."""

import importlib
import inspect
import pathlib

import numpy as np

from qm_vae.errors import InputError
from qm_vae.registry import Registry
from qm_vae.types import Detector

DETECTORS = Registry(
  "face detector",
  {
    "auto": "qm_vae.faces.detectors.auto:make",
    "centerface": "qm_vae.faces.detectors.centerface:make",
    "haar": "qm_vae.faces.detectors.haar:make",
  },
  group="qm_vae.detectors",
)

STRONGEST = "centerface"
"""Looks for faces in what was protected, where no other is named. Its weights may be missing."""

_FILE = "qm_vae.faces.detectors.centerface:of_file"


_MOST = 4.0  # of the picture's longer side; no face is larger, nor so far outside


def open_detector(
  name: str,
  *,
  threshold: float | None = None,
  max_side: int | None = None,
  min_size: int = 12,
  provider: str | None = None,
  threads: int | None = None,
) -> Detector:
  """The detector of that name, or in that ONNX file.

  Args:
    name: a name in DETECTORS ('auto': the strongest at hand), or the path of an ONNX file (heads.py tells which outputs
      are understood).
    threshold: score in (0, 1) from which a face is believed by itself; the detector's own when None. Half of it is
      enough where a face was known before.
    max_side: pixels; a larger frame is shrunk until its longer side has so many, for the search alone.
    min_size: pixels of the frame; smaller faces are passed over.
    provider: what onnxruntime runs on, such as 'CPU' or 'CUDA'; None: the best that there is.
    threads: of onnxruntime that share one search; None: all cores. Others do not look at it.

  Raises:
    ValueError: for a name that is neither, a file that is no such network, numbers out of range, or a provider that is
      not there.
  """
  if threshold is not None and not 0 < threshold < 1:
    raise InputError(f"threshold is {threshold}; it must lie between 0 and 1")
  if max_side is not None and max_side < 32:
    raise InputError(f"max_side is {max_side}; faces are sought in frames of at least 32 pixels a side")
  given = {"threshold": threshold, "max_side": max_side, "provider": provider}
  options = {key: value for key, value in given.items() if value is not None}
  if name in DETECTORS:
    if provider and "provider" not in inspect.signature(DETECTORS[name]).parameters:
      raise InputError(f"the detector {name} is not run by onnxruntime; leave the provider, {provider!r}, out")
    if threads and "threads" in inspect.signature(DETECTORS[name]).parameters:
      options["threads"] = threads
    return checked(DETECTORS[name](min_size=min_size, **options))
  if pathlib.Path(name).suffix.lower() != ".onnx":
    raise InputError(
      f"no face detector is called {name!r}; choose one of {', '.join(DETECTORS)}, or give the path of an .onnx file"
    )
  module, attribute = _FILE.split(":")
  return checked(
    getattr(importlib.import_module(module), attribute)(name, min_size=min_size, threads=threads, **options)
  )


def checked(detector: Detector) -> Detector:
  """The detector, whose every answer is checked: what is no list of boxes with scores is an error, never "no face".

  Its `find` raises ValueError, naming the detector, for boxes or scores of another shape, that are not finite, without
  an area, far larger than the picture or far outside of it, or with scores outside [0, 1].
  """

  def find(image):
    found = detector.find(image)
    boxes, scores = np.asarray(found.boxes), np.asarray(found.scores)
    points = np.zeros((len(boxes), 5, 2)) if found.points is None else np.asarray(found.points)
    wrong = ""
    if boxes.ndim != 2 or boxes.shape[1:] != (4,) or scores.shape != boxes.shape[:1]:
      wrong = f"boxes of shape {boxes.shape} with scores of shape {scores.shape}"
    elif points.shape != (len(boxes), 5, 2):
      wrong = f"points of shape {points.shape} with boxes of shape {boxes.shape}"
    elif not (np.isfinite(boxes).all() and np.isfinite(scores).all() and np.isfinite(points).all()):
      wrong = "numbers that are not finite"
    elif (boxes[:, 2:] <= 0).any():
      wrong = "boxes without an area"
    elif (np.abs(boxes) > _MOST * max(image.shape[:2])).any():
      wrong = f"boxes up to {np.abs(boxes).max():.3g} pixels away in a picture of {image.shape[1]} x {image.shape[0]}"
    elif ((scores < 0) | (scores > 1)).any():
      wrong = "scores outside [0, 1]"
    if wrong:
      raise InputError(
        f"the face detector {detector.description.get('name')} answers with {wrong}; its file is damaged"
      )
    return found

  return detector._replace(find=find)
