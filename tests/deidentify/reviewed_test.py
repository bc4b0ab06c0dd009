"""A video made again with decisions: the faces are those of its record, and every doubt about them is refused."""

import json
import pathlib
import re
import shutil
import subprocess

import drawn_clip
import numpy as np
import pytest

from qm_vae.deidentify import __main__ as program
from qm_vae.faces import detectors

pytest.importorskip("av", reason="requirements-video.txt is not installed")
ARGUMENTS = ["in.mp4", "out.mp4", "--detector=haar", "--min-size=24"]
DARK = 45  # grey levels: solid is black, and H.264 leaves some noise


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A folder with the drawn clip, protected once for all tests."""
  folder = tmp_path_factory.mktemp("made")
  drawn_clip.write(folder / "in.mp4")
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    assert program.main(ARGUMENTS) == program.OK
  return folder


@pytest.fixture
def job(made, tmp_path, monkeypatch):
  shutil.copytree(made, tmp_path, dirs_exist_ok=True)
  monkeypatch.chdir(tmp_path)
  return tmp_path


def dark(frame, place):
  x, y = place
  side = drawn_clip.SIDE
  return bool(frame[y + 30 : y + side - 30, x + 30 : x + side - 30].max() < DARK)


def rows():
  return json.loads(pathlib.Path("out.mp4.json").read_text())["frames"]


def track_at(place):
  """The number of the track over a face in frame 0."""
  x, y = (value + drawn_clip.SIDE / 2 for value in place)
  inside = lambda box: box[0] < x < box[0] + box[2] and box[1] < y < box[1] + box[3]
  return next(face["track"] for face in rows()[0]["faces"] if inside(face["box"]))


def test_drop_of_frames_takes_the_faces_of_the_record(job, monkeypatch):
  """A dropped track is visible in its frames alone, no face is sought again, and the record keeps the places."""
  before, track = rows(), track_at(drawn_clip.DROPPED)
  asked, known = [], json.loads(pathlib.Path("out.mp4.json").read_text())["detector"]
  monkeypatch.setattr(detectors, "open_detector", lambda *_, **__: _blind(asked, known))
  assert program.main([*ARGUMENTS, f"--drop={track}:0-9", "--overwrite"]) == program.OK
  frames = drawn_clip.read("out.mp4")
  assert asked == []
  assert [dark(frames[n], drawn_clip.DROPPED) for n in (0, 9, 10, 19)] == [False, False, True, True]
  assert all(dark(frame, drawn_clip.KEPT) for frame in frames[: drawn_clip.CUT])
  after = rows()
  place = lambda face: (face["track"], face["box"], face["how"], face["score"])
  assert [[place(f) for f in row["faces"]] for row in after] == [[place(f) for f in row["faces"]] for row in before]
  assert {f["hidden"] for f in after[5]["faces"] if f["track"] == track} == {False}
  # The next pass begins with the decisions of the last: an added region is not lost with a dropped track.
  assert program.main([*ARGUMENTS, "--add=0-:0,200,40,40", f"--drop={track}:0-2", "--overwrite"]) == program.OK
  assert [row["action"] for row in json.loads(pathlib.Path("out.mp4.json").read_text())["review"]["decisions"]] == [
    "drop",
    "add",
    "drop",
  ]
  assert drawn_clip.read("out.mp4")[-1][210:230, 10:30].max() < DARK


def _blind(asked, description):
  from qm_vae import types

  return types.Detector(lambda image: asked.append(1), 0.5, 0.25, description)


@pytest.mark.parametrize(
  ("more", "message"),
  [
    (["--drop=99"], "has no track 99"),
    (["--drop=1", "--end=1"], "was made otherwise.*: end None then, 1.0 now"),
    (["--drop=1", "--min-size=40"], "was made otherwise.*detector"),
  ],
)
def test_decisions_that_do_not_fit_write_nothing(more, message, job, capsys):
  """A track, a part or a file that there is not is named, and what was made stays as it was."""
  before = (job / "out.mp4").read_bytes()
  assert program.main([*ARGUMENTS, *more, "--overwrite"]) == program.FAILED
  assert re.search(message, capsys.readouterr().err)
  assert (job / "out.mp4").read_bytes() == before


def test_review_file_that_is_missing_or_of_other_files_is_refused(job, capsys):
  """What was decided about a file that is not in IN is never left out without a word, in a folder neither."""
  before = (job / "out.mp4").read_bytes()
  assert program.main([*ARGUMENTS, "--review-file=none.json", "--overwrite"]) == program.USAGE
  assert "there is no such file" in capsys.readouterr().err
  entry = {"file": "im.mp4", "decisions": [{"action": "add", "frames": [0, None], "boxes": [[0, 5, 5, 9, 9]]}]}
  pathlib.Path("r.json").write_text(json.dumps({"version": 1, "record": "out.mp4.json", "files": [entry]}))
  (job / "photos" / "below").mkdir(parents=True)
  shutil.copy("in.mp4", "photos/below/im.mp4")
  for arguments in ([*ARGUMENTS, "--overwrite"], ["photos", "safe", "--detector=haar"]):
    assert program.main([*arguments, "--review-file=r.json"]) == program.USAGE
    assert "has decisions about im.mp4, which is not in IN" in capsys.readouterr().err
  assert (job / "out.mp4").read_bytes() == before and not pathlib.Path("safe").exists()


def test_frames_that_nobody_decided_about_are_encoded_once(job):
  """After a second and a third pass the other frames are as near to the original as after the first.

  Encoded from what was made, they would lose a second time.
  """
  source = drawn_clip.read("in.mp4")[drawn_clip.CUT :, :120].astype(float)  # what no decision and no face touches
  far = lambda: np.square(drawn_clip.read("out.mp4")[drawn_clip.CUT :, :120] - source).mean()
  low = [*ARGUMENTS, "--quality=34", "--overwrite"]  # a quality at which every encoding costs something
  assert program.main(low) == program.OK
  errors = [far()]
  for more in (f"--drop={track_at(drawn_clip.DROPPED)}", "--add=0-9:0,200,40,40"):
    assert program.main([*low, more]) == program.OK
    errors.append(far())
  assert errors[0] > 0.5 and max(errors) < 1.02 * errors[0], errors


def test_drop_without_a_record_is_refused(job, capsys):
  """Track numbers mean nothing without the record that has them."""
  (job / "out.mp4.json").unlink()
  assert program.main([*ARGUMENTS, "--drop=1", "--overwrite"]) == program.FAILED
  assert "is not there" in capsys.readouterr().err


def test_review_file_of_other_settings_is_refused(job, capsys):
  """A record made since by other settings may number other people; the reviewed one is asked for."""
  finding = json.loads(pathlib.Path("out.mp4.json").read_text())["finding"] | {"window": 7}
  entry = {"file": "in.mp4", "finding": finding, "decisions": [{"action": "drop", "track": 1}]}
  (job / "r.json").write_text(json.dumps({"version": 1, "record": "out.mp4.json", "files": [entry]}))
  assert program.main([*ARGUMENTS, "--review-file=r.json", "--overwrite"]) == program.FAILED
  assert "review it again" in capsys.readouterr().err


def test_review_option_opens_the_page_of_what_was_made(job, monkeypatch):
  """--review runs the review of OUT.json when everything is written."""
  run = []
  monkeypatch.setattr(
    subprocess, "run", lambda command, check: run.append(command) or subprocess.CompletedProcess(command, 0)
  )
  assert program.main([*ARGUMENTS, "--overwrite", "--review", "--every=8"]) == program.OK
  assert run[0][1:] == ["-m", "qm_vae.review", "out.mp4.json"]
