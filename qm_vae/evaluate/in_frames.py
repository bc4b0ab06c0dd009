"""What whole frames show of a method: whether a face is found again, how surely, and the seam of the paste."""

import numpy as np

from qm_vae.data.remembered import Remembered
from qm_vae.faces import cropping
from qm_vae.landmarkers import finding
from qm_vae.metrics import seam as seams
from qm_vae.metrics import utility
from qm_vae.training.state import Experiment, Split
from qm_vae.types import Detector

MOST = 500
"""Frames looked at; of more test faces, evenly spaced ones."""

_BESIDE = 8  # pixels around the pasted square that the seam is measured in


def remembering(experiment: Experiment) -> Experiment:
  """The experiment whose test frames are read, or drawn, once: every method is pasted into the same ones."""
  source = Remembered(experiment.data.test_source)
  return experiment._replace(data=experiment.data._replace(test_source=source))


def measure(data: Split, image: np.ndarray, detector: Detector | None) -> dict:
  """The parts `seam`, `found_again` and `detector_score` of a method's row in a report.

  Args:
    data: whose test faces these are.
    image: uint8 [N, S, S, 3], one method's outputs of them.
    detector: who looks; None: nobody, and the last two are None.

  Returns:
    "seam": mean of metrics.seam at the edge of the pasted square; "found_again": rate of frames in which a face whose
    centre lies in the square has the detector's own threshold or more; "detector_score": mean of the best score there,
    0 where there is none.
  """
  rows = np.unique(np.linspace(0, len(data.test) - 1, min(MOST, len(data.test))).round().astype(int))
  test = data.test.take(rows)
  seam, score = np.zeros(len(rows)), np.zeros(len(rows))
  for i, (row, box) in enumerate(zip(rows, test.box, strict=True)):
    frame = cropping.paste(data.test_source[int(test.index[i])].image, image[row], box)
    seam[i] = _seam(frame, box)
    score[i] = 0.0 if detector is None else finding.best_score(detector, frame, box)
  visible = np.isfinite(seam)
  found: dict = {"seam": utility.mean(seam[visible], test.take(np.flatnonzero(visible))) if visible.any() else None}
  return found | finding.measured(detector, score, test.identity)


def _seam(frame, box):
  x, y, side = (int(value) for value in box)
  mask = np.zeros(frame.shape[:2], bool)
  mask[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = True
  near = slice(max(y - _BESIDE, 0), max(y + side + _BESIDE, 0)), slice(max(x - _BESIDE, 0), max(x + side + _BESIDE, 0))
  return seams.seam(frame[near][None], mask[near][None])[0]
