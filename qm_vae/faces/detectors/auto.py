"""The strongest detector at hand."""

from typing import Any

from qm_vae.faces.detectors import haar, weights
from qm_vae.types import Detector


def make(
  *,
  threshold: float | None = None,
  max_side: int | None = None,
  min_size: int = 12,
  provider: str = "auto",
  threads: int | None = None,
) -> Detector:
  """CenterFace where its weights are installed, else the Haar cascade; its description says which.

  Args:
    threshold: score in (0, 1) from which a face is believed by itself; None: the detector's own.
    max_side: pixels; larger frames are shrunk to it for the search; None: the detector's own.
    min_size: pixels of the frame; smaller faces are passed over.
    provider: what onnxruntime runs on.
    threads: of onnxruntime that share one search; None: all cores.

  Raises:
    ValueError: for weights that are there but damaged: nobody falls back without a word.
  """
  given = {"threshold": threshold, "max_side": max_side}
  options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
  path = weights.centerface()
  if path is None:
    return haar.make(min_size=min_size, **options)
  from qm_vae.faces.detectors import centerface  # onnxruntime is loaded for those alone who have a network

  return centerface.make(min_size=min_size, provider=provider, threads=threads, **options)
