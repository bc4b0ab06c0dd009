"""Flicker of protected videos: calm and restless faces, broken tracks, and videos that do not belong together."""

import json
import re

import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import job

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
from qm_vae.deidentify import coverage, restlessness  # noqa: E402
from qm_vae.faces import detectors  # noqa: E402

FRAMES, BOX = 24, [16.0, 8.0, 32.0, 32.0]


def write(path, frames):
  with av.open(str(path), "w") as out:
    stream = out.add_stream("ffv1", rate=10)
    stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv444p"
    for number, picture in enumerate(frames):
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      frame.pts = number
      out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
  return path


def levels(step):
  """A face whose grey goes up and down by `step` levels from frame to frame."""
  frames = np.full((FRAMES, 48, 64, 3), 90, np.uint8)
  frames[:, 8:40, 16:48] = (100 + step * (np.arange(FRAMES) % 2))[:, None, None, None]
  return frames


def record(original, gap=None):
  face = lambda i: [] if i == gap else [{"track": 7, "box": BOX, "score": 0.9, "how": "found", "hidden": True}]
  return {
    "source": {"sha256": job.sha256(original)},
    "finding": {"start": 0.0, "end": None},
    "method": {"margin": 0.1, "feather": 0.05, "shape": "box"},
    "frames": [{"frame": i, "time": i / 10, "faces": face(i)} for i in range(FRAMES)],
  }


@pytest.fixture
def original(tmp_path):
  return write(tmp_path / "before.mkv", levels(40))


def test_restlessness_is_the_ratio_of_frame_differences(original, tmp_path):
  """A face that jumps three times as far flickers three times as much, and one that stands still does not."""
  (jumping,) = restlessness.measure(original, write(tmp_path / "jumping.mkv", levels(120)), record(original))
  assert jumping["value"] == pytest.approx(3, rel=0.05) and jumping["n"] == FRAMES - 1  # YUV rounds to a level
  assert (jumping["track"], jumping["first"]) == (7, 0)
  (still,) = restlessness.measure(original, write(tmp_path / "still.mkv", levels(0)), record(original))
  assert still["value"] == pytest.approx(0, abs=0.02)


def test_restlessness_counts_stretches_apart(original, tmp_path):
  """A track that is lost for a frame is two stretches, of which short ones are left out."""
  protected = write(tmp_path / "after.mkv", levels(40))
  assert [one["first"] for one in restlessness.measure(original, protected, record(original, gap=12))] == [0, 13]
  assert [one["first"] for one in restlessness.measure(original, protected, record(original, gap=5))] == [6]
  json.dumps(restlessness.measure(write(tmp_path / "b.mkv", levels(0)), protected, record(original)), allow_nan=False)


def test_restlessness_of_other_videos_is_refused(original, tmp_path):
  """Fewer frames, or frames of another size, are named."""
  with pytest.raises(ValueError, match=r"frame 20: .* no frame"):
    restlessness.measure(original, write(tmp_path / "short.mkv", levels(10)[:20]), record(original))
  with pytest.raises(ValueError, match=r"frame 0: .*64 x 48 pixels and 32 x 48 pixels"):
    restlessness.measure(original, write(tmp_path / "small.mkv", levels(10)[:, :, :32]), record(original))


def test_coverage_prints_flicker_where_the_protected_video_is_given(original, tmp_path, capsys, monkeypatch):
  """The command line measures flicker beside coverage."""
  nobody = types.Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
  detector = types.Detector(lambda image: nobody, 0.5, 0.25, {"name": "nobody"})
  monkeypatch.setattr(detectors, "open_detector", lambda *a, **k: detector)
  (tmp_path / "safe.json").write_text(json.dumps(record(original)))
  protected = write(tmp_path / "after.mkv", levels(120))
  out = tmp_path / "figures.json"
  given = [str(original), str(tmp_path / "safe.json"), f"--protected={protected}", f"--json={out}"]
  assert coverage.main(given) == 0
  assert re.search(r"flicker of track 7 from frame 0: (2\.9|3\.0)\d \(", capsys.readouterr().out)
  assert json.loads(out.read_text())["flicker"][0]["n"] == FRAMES - 1
