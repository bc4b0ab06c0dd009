"""Whether a detector that is in no loss still finds a face, and how sure it is."""

import numpy as np

from qm_vae.faces import detectors
from qm_vae.metrics import intervals
from qm_vae.types import Detector


def open_detector(name: str) -> tuple[Detector | None, str]:
  """The detector that looks, and why none does; '' where one does.

  Args:
    name: in faces.detectors.DETECTORS, or the path of an ONNX file; '': nobody looks.

  Raises:
    ValueError: for a file that is no detector, or a name other than detectors.STRONGEST that there is not.
  """
  if not name:
    return None, "no face detector is named"
  try:
    return detectors.open_detector(name), ""
  except (ValueError, ImportError) as error:
    if name != detectors.STRONGEST:
      raise
    return None, str(error)


def best_score(detector: Detector, image: np.ndarray, box: np.ndarray) -> float:
  """The highest score of a face whose centre lies in a square, 0 where there is none.

  Args:
    detector: who looks.
    image: uint8 [H, W, 3].
    box: [3], x, y of the square's top left corner and its side, pixels.
  """
  seen = detector.find(image)
  centre = seen.boxes[:, :2] + seen.boxes[:, 2:] / 2
  inside = ((centre >= box[:2]) & (centre < box[:2] + box[2])).all(1)
  return float(seen.scores[inside].max(initial=0.0))


def measured(detector: Detector | None, score: np.ndarray, identity: np.ndarray) -> dict:
  """The parts `found_again` and `detector_score` of a method's row in a report.

  Args:
    detector: who looked; None: nobody.
    score: [N] of `best_score`.
    identity: int [N].

  Returns:
    "found_again": rate of scores of at least the detector's own threshold; "detector_score": their mean; None without a
    detector.
  """
  if detector is None:
    return {"found_again": None, "detector_score": None}
  return {
    "found_again": intervals.rate(np.asarray(score >= detector.strong, np.float64), identity).as_dict(),
    "detector_score": intervals.bootstrap_by_identity(score, identity).as_dict(),
  }


def in_crops(detector: Detector | None, image: np.ndarray, identity: np.ndarray, most: int = 500) -> dict:
  """`measured` of face crops uint8 [N, S, S, 3]; of more than `most`, of evenly spaced ones."""
  rows = np.unique(np.linspace(0, len(image) - 1, min(most, len(image))).round().astype(int))
  whole = np.array([0, 0, image.shape[1]])
  score = np.array([0.0 if detector is None else best_score(detector, image[i], whole) for i in rows])
  return measured(detector, score, identity[rows])
