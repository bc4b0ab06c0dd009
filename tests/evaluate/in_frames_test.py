"""What frames show of a method: seam, a face found again, and what is said without a detector."""

import numpy as np
import pytest

from qm_vae import types
from qm_vae.evaluate import in_frames
from qm_vae.landmarkers import finding
from qm_vae.training.state import Split

SIDE, PLACES = 16, np.float32([[8, 8, 16], [20, 4, 16], [30, 20, 16]])


def data():
  frames = np.random.default_rng(0).integers(100, 104, (3, 40, 50, 3)).astype(np.uint8)
  crops = np.stack([f[int(y) : int(y + s), int(x) : int(x + s)] for f, (x, y, s) in zip(frames, PLACES, strict=True)])
  zeros = np.zeros(3, np.int32)
  test = types.FaceSet(
    crops, np.ones((3, SIDE, SIDE, 1), np.uint8), np.zeros((3, 4), np.float32), PLACES, np.arange(3, dtype=np.int32),
    zeros, np.arange(3, dtype=np.int32), ("a", "b", "c"), (), (), (),
  )  # fmt: skip
  return Split(test, test, [types.Record(frame, "") for frame in frames], 3, 0)


def bright(frame):
  """A detector that takes the middle of what is bright for a face, one that is always in the corner too."""
  rows, columns = np.nonzero(frame.min(-1) > 200)
  boxes, scores = [[0, 0, 6, 6]], [0.9]
  if len(rows):
    boxes.append([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
    scores.append(0.4)
  return types.Detections(np.float32(boxes), np.float32(scores))


def test_in_frames_originals_have_no_seam_and_no_face_of_this_detector():
  """The originals pasted back are the frames: gradients across the edge are those beside it."""
  found = in_frames.measure(data(), data().test.image, types.Detector(bright, 0.3, 0.1, {}))
  assert found["seam"]["value"] == pytest.approx(1, abs=0.05) and found["seam"]["n"] == 3  # noise of four grey levels
  assert found["found_again"]["value"] == 0 and found["detector_score"]["value"] == 0


def test_in_frames_pasted_squares_are_found_with_their_seam():
  """A face counts where its centre lies in the pasted square and its score reaches the detector's threshold."""
  image = np.full((3, SIDE, SIDE, 3), 100, np.uint8)
  image[:2] = 250
  found = in_frames.measure(data(), image, types.Detector(bright, 0.3, 0.1, {}))
  assert found["found_again"]["value"] == pytest.approx(2 / 3) and found["found_again"]["n"] == 3
  assert found["detector_score"]["value"] == pytest.approx(0.8 / 3) and found["seam"]["value"] > 10
  strict = in_frames.measure(data(), image, types.Detector(bright, 0.5, 0.1, {}))
  assert strict["found_again"]["value"] == 0


def test_in_frames_without_a_detector_only_the_seam_is_measured():
  """No detector gives no rate, and an unknown one is refused by name."""
  found = in_frames.measure(data(), data().test.image, None)
  assert found["found_again"] is None and found["seam"]["n"] == 3
  assert finding.open_detector("") == (None, "no face detector is named")
  with pytest.raises(ValueError, match="no face detector is called 'nobody'"):
    finding.open_detector("nobody")


def test_finding_in_crops_looks_at_the_whole_crop():
  """A face anywhere in a crop counts, and of many crops evenly spaced ones are looked at."""
  image = np.full((9, SIDE, SIDE, 3), 100, np.uint8)
  image[::4] = 250
  detector = types.Detector(lambda x: types.Detections(bright(x).boxes[1:], bright(x).scores[1:]), 0.3, 0.1, {})
  assert finding.in_crops(detector, image, np.arange(9))["found_again"]["value"] == pytest.approx(3 / 9)
  spaced = finding.in_crops(detector, image, np.arange(9), most=3)  # the first, the fifth and the last: the bright ones
  assert spaced["found_again"]["value"] == 1 and spaced["found_again"]["n"] == 3
  assert spaced["detector_score"]["value"] == pytest.approx(0.4, abs=1e-6)  # float32
