"""Face detectors by name or by file. Each is `make(...) -> types.Detector`; the contract is types.Detector."""

import importlib
import pathlib

from qm_vae.registry import Registry
from qm_vae.types import Detector

DETECTORS = Registry(
  "face detector",
  {"haar": "qm_vae.faces.detectors.haar:make", "centerface": "qm_vae.faces.detectors.centerface:make"},
  group="qm_vae.detectors",
)

_FILE = "qm_vae.faces.detectors.centerface:of_file"


def open_detector(
  name: str, *, threshold: float | None = None, max_side: int | None = None, min_size: int = 12
) -> Detector:
  """The detector of that name, or in that ONNX file.

  Args:
    name: a name in DETECTORS, or the path of an ONNX file (heads.py tells which outputs are understood).
    threshold: score in (0, 1) from which a face is believed by itself; the detector's own when None. Half of it is
      enough where a face was known before.
    max_side: pixels; a larger frame is shrunk until its longer side has so many, for the search alone.
    min_size: pixels of the frame; smaller faces are passed over.

  Raises:
    ValueError: for a name that is neither, a file that is no such network, or numbers out of range.
  """
  if threshold is not None and not 0 < threshold < 1:
    raise ValueError(f"threshold is {threshold}; it must lie between 0 and 1")
  if max_side is not None and max_side < 32:
    raise ValueError(f"max_side is {max_side}; faces are sought in frames of at least 32 pixels a side")
  options = {key: value for key, value in (("threshold", threshold), ("max_side", max_side)) if value is not None}
  if name in DETECTORS:
    return DETECTORS[name](min_size=min_size, **options)
  if pathlib.Path(name).suffix.lower() != ".onnx":
    raise ValueError(
      f"no face detector is called {name!r}; choose one of {', '.join(DETECTORS)}, or give the path of an .onnx file"
    )
  module, attribute = _FILE.split(":")
  return getattr(importlib.import_module(module), attribute)(name, min_size=min_size, **options)
