"""OpenCV's frontal Haar cascade, the paper's detector, with a score."""

import numpy as np

from qm_vae.faces import cropping
from qm_vae.types import Detections, Detector

_WINDOW = 24  # pixels, the side of the cascade's window; smaller faces are found in an enlarged frame
_USUAL = cropping.Settings().min_neighbors


def make(*, threshold: float = 0.5, max_side: int = cropping.MAX_SIDE, min_size: int = 12) -> Detector:
  """The cascade as a detector; it needs no weights besides OpenCV's own, and finds upright frontal faces alone.

  The score of a face that was found `n` times over is 1 - 2^(-n / 5): 0.5 for the five times that the paper's setting
  asks for.

  Args:
    threshold: score in (0, 1) from which a face is believed by itself.
    max_side: pixels; larger frames are shrunk to it for the search.
    min_size: pixels of the frame; smaller faces are passed over.
  """
  weak = threshold / 2
  neighbors = max(int(np.ceil(-np.log2(1 - weak) * _USUAL - 1e-6)), 1)
  enlarge = max(1.0, _WINDOW / min_size)
  settings = cropping.Settings(min_neighbors=neighbors, min_size=min_size)

  def find(image):
    boxes, counts = cropping.detect_counted(image, settings, max_side, enlarge)
    scores = 1 - 2.0 ** (-counts.astype(np.float32) / _USUAL)
    believed = scores >= weak
    return Detections(boxes[believed].astype(np.float32), scores[believed].astype(np.float32))

  description = {"name": "haar", "threshold": threshold, "max_side": max_side, "min_size": min_size}
  description |= {"sees": _WINDOW, "enlarge": enlarge}
  return Detector(find, threshold, weak, description)
