"""Counting the faces that were hidden: boxes, margins, blanked frames, and what is refused."""

import json

import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import job

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
from qm_vae.deidentify import coverage, covered  # noqa: E402

FACE = np.float32([20, 10, 16, 16])


@pytest.fixture
def clip(tmp_path):
  path = tmp_path / "clip.mkv"
  with av.open(str(path), "w") as out:
    stream = out.add_stream("ffv1", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(4):
      frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
      frame.pts = number
      out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
  return path


def detector(boxes=(FACE,)):
  found = types.Detections(np.stack(boxes), np.ones(len(boxes), np.float32))
  return types.Detector(lambda image: found, 0.5, 0.25, {"name": "told"})


def record(clip, *frames, shape="box", margin=0.1):
  return {
    "source": {"sha256": job.sha256(clip)},
    "finding": {"start": 0.0, "end": None},
    "method": {"margin": margin, "feather": 0.05, "shape": shape},
    "frames": list(frames),
  }


def face(box=FACE, how="found", hidden=True):
  return {"box": [float(value) for value in box], "how": how, "hidden": hidden}


def test_coverage_each_way_hiding_missing_counted(clip):
  """Each way of hiding and of missing is counted."""
  rows = (
    {"faces": [face()]},
    {"faces": [face(how="filled")]},
    {"faces": [face(FACE + [9, 0, 0, 0])]},  # beside it: the margin reaches two pixels, nine are bare
    {"faces": [], "blanked": "the frame is damaged"},
  )
  message = covered.measure(clip, record(clip, *rows), detector(), show=False)
  assert (message["frames"], message["faces"], message["hidden"], message["found_only"]) == (4, 4, 3, 2)
  assert message["missed"] == [{"time": 0.2, "box": FACE.tolist()}]


def test_coverage_faces_left_corners_outside_ellipse(clip):
  """Faces that were left and corners outside an ellipse are not hidden."""
  rows = ({"faces": [face(hidden=False)]}, *[{"faces": [face()]}] * 3)
  for shape, hidden in (("box", 3), ("ellipse", 0)):  # without a margin a circle leaves a fifth of its square
    message = covered.measure(clip, record(clip, *rows, shape=shape, margin=0.0), detector(), show=False)
    assert message["hidden"] == hidden


@pytest.mark.parametrize(
  ("faces", "notes", "hidden", "found_only"),
  [
    ([{"box": FACE.tolist(), "hidden": True}], [], 1, 1),
    ([{"box": FACE.tolist(), "hidden": False}], [], 0, 0),
    ([], [], 0, 0),
    ([{"box": FACE.tolist(), "hidden": True, "how": "added"}], ["no face was found"], 1, 0),
    ([], ["blanked: no face was found"], 1, 1),
  ],
)
def test_coverage_of_a_picture(faces, notes, hidden, found_only):
  """What is found and hidden, drawn, left, overlooked or black as a whole is told apart."""
  row, method = {"faces": faces, "notes": notes}, {"margin": 0.1, "feather": 0.05, "shape": "box"}
  made = covered.measure_picture(np.full((48, 64, 3), 90, np.uint8), row, method, detector())
  assert made == {
    "faces": 1,
    "hidden": hidden,
    "found_only": found_only,
    "missed": [] if hidden else [FACE.tolist()],
  }


def test_coverage_no_record_video_refused(clip, tmp_path, capsys):
  """What is no record of the video is refused."""
  rows = [{"frame": i, "time": i / 10, "faces": []} for i in range(4)]
  with pytest.raises(ValueError, match="lists no frames"):
    covered.measure(clip, {"source": {}}, detector(), show=False)
  wrong = record(clip, *rows)
  wrong["source"]["sha256"] = "0"
  (tmp_path / "wrong.json").write_text(json.dumps(wrong))
  assert coverage.main([str(clip), str(tmp_path / "wrong.json"), "--detector=haar"]) == 2
  assert "is of another file" in capsys.readouterr().err
