"""The parts of the review: doubtful moments, frames on request, what is applied, and the auditor's page."""

import json

import drawn_clip
import numpy as np
import page_reader
import pytest
from PIL import Image
from review_server_test import FACE, write

from qm_vae.deidentify import journal, record
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.tracking.places import Place
from qm_vae.review import __main__ as program
from qm_vae.review import applying, auditor, files, frames, moments, saved, session

HEAD = {"source": {"width": 100, "height": 80}, "detector": {"threshold": 0.5}}


def recorded(tmp_path, rows, head=HEAD, tail=None):
  """A record whose frames have (places, why blanked)."""
  sidecar = Sidecar(tmp_path / "a.json", head)
  for n, (places, blanked) in enumerate(rows):
    sidecar.frame(n, n / 25, [(place, True) for place in places], blanked)
  sidecar.close(tail or {})
  return record.read(tmp_path / "a.json")


def place(track, how="found", score=0.9, lost=False, x=40.0):
  return Place(track, np.float32([x, 30, 20, 20]), score, how, lost)


def test_moments_of_a_video_the_most_doubtful_first(tmp_path):
  """Lost, weak, held and border moments are found, runs that are close are one, and lost ones come first."""
  rows = [([], "")] * 30  # a stretch without any face
  rows += [([place(1)], "")] * 5 + [([place(1, score=0.3)], "")] + [([place(1)], "")] * 3
  rows += [([place(1, "held")], "")] * 2 + [([place(1, "held", lost=True)], "")] * 4
  rows += [([place(2, x=1.0)], "")] * 3 + [([], "damaged")]
  made = moments.of_video(recorded(tmp_path, rows))
  assert [(one.why, one.track, one.first, one.last) for one in made] == [
    ("blanked", 0, 48, 48),
    ("empty", 0, 0, 29),
    ("lost", 1, 41, 44),
    ("weak", 1, 35, 35),
    ("held", 1, 39, 40),
    ("border", 2, 45, 45),
  ]
  assert all(one.first <= one.frame <= one.last for one in made)


def test_moment_shows_a_frame_in_which_it_is_doubtful():
  """Held before and after a short finding is one moment; its middle is found, and a frame beside it is shown."""
  frames = np.array([0, 1, 2, 3, 10, 11])
  assert moments._middle(frames, 0, 11) == 3
  assert moments._middle(np.arange(5), 0, 4) == 2


def test_moments_of_doubts_that_are_near_are_one(tmp_path):
  """Weak findings of one track that lie close are looked at once, others apart."""
  weak = {3, 6, 40}
  made = moments.of_video(recorded(tmp_path, [([place(1, score=0.3 if n in weak else 0.9)], "") for n in range(50)]))
  assert [(one.first, one.last) for one in made if one.why == "weak"] == [(3, 6), (40, 40)]


def test_moments_of_a_visible_track_say_only_that_it_is_visible(tmp_path):
  """What was dropped or kept is not called held or weak once that is applied; what is still hidden is."""
  held = place(1, "held", lost=True)
  rows = [([place(1, score=0.3, x=1.0), place(2, score=0.3)], "")] * 3 + [([held], "")] * 2
  made = recorded(tmp_path, [([], ""), *rows])
  made.hidden[made.tracks == 1] = False
  assert [(one.why, one.track, one.first, one.last) for one in moments.of_video(made)] == [
    ("weak", 2, 1, 3),
    ("left", 1, 1, 5),
  ]


@pytest.mark.parametrize(
  ("faces", "failures", "why"),
  [
    ([], [], "empty"),
    ([FACE], [], "found"),
    ([FACE, FACE | {"score": 0.3}], [], "weak"),
    ([FACE | {"hidden": False}], [], "left"),
    ([FACE | {"hidden": False, "score": 0.3}], [], "left"),
    ([], ["disk full"], "failed"),
  ],
)
def test_moment_of_a_picture(faces, failures, why):
  """A picture is one moment of its most doubtful kind; those without a face come before those with one."""
  (made,) = moments.of_picture(faces, failures, 0.5)
  assert made.why == why
  order = list(moments.WHY)
  assert order.index("empty") < order.index("weak") < order.index("found")


def test_folder_shows_pictures_without_a_face_first(tmp_path):
  """In one sitting: the picture without a found face is the first moment of its folder."""
  work = session.Session(write(tmp_path))
  assert [(one["file"], one["why"]) for one in work.job()["moments"]] == [(1, "empty"), (0, "found")]


@pytest.fixture
def clip(tmp_path):
  """A video whose frame n has the grey level 4 n, and its times."""
  pytest.importorskip("av", reason="requirements-video.txt is not installed")
  pictures = [np.full((drawn_clip.HEIGHT, drawn_clip.WIDTH, 3), 4 * n, np.uint8) for n in range(60)]
  return drawn_clip.write(tmp_path / "grey.mp4", pictures), np.arange(60) / 25


def level(content):
  import io

  return np.asarray(Image.open(io.BytesIO(content))).mean() / 4


def test_frames_are_the_ones_that_were_asked_for(clip):
  """Forwards, backwards and at random the frame has its own number, and its longer side the asked length."""
  made = frames.Frames(*clip, moving=True)
  order = [0, 1, 2, 50, 49, 48, 3, 59, *np.random.default_rng(0).permutation(60)[:12]]
  for n in order:
    assert abs(level(made.jpeg(int(n), 160)) - n) < 0.6, n  # grey levels, by codec and JPEG: 2 of 4 a frame
  import io

  assert Image.open(io.BytesIO(made.jpeg(5, 160))).size == (160, 120)
  for wrong in ((60, 160), (-1, 160), (0, 161)):
    with pytest.raises(IndexError):
      made.jpeg(*wrong)
  made.close()


def test_frames_are_made_when_they_are_asked_for(clip, monkeypatch):
  """Opening makes no frame; each is made once, and what is kept has a limit."""
  made = frames.Frames(*clip, moving=True)
  assert made._reader is None
  one = made.jpeg(10, 160)
  monkeypatch.setattr(made, "_make", None)
  assert made.jpeg(10, 160) is one
  monkeypatch.undo()
  monkeypatch.setattr(frames, "_KEPT", 3 * len(one))
  for n in range(20):
    made.jpeg(n, 160)
  assert made._bytes <= 3 * len(one) + len(one) and len(made._made) < 20
  made.close()


def test_frames_of_an_original_that_begins_later(clip):
  """With --start the record's frame 0 is a later one of the original."""
  path, times = clip
  made = frames.Frames(path, times[:20], moving=True, begins=0.4)
  assert abs(level(made.jpeg(0, 160)) - 10) < 0.6 and abs(level(made.jpeg(15, 160)) - 25) < 0.6
  made.close()


def test_original_that_is_another_file_is_not_shown(tmp_path):
  """An original with other bytes than those that were protected is refused."""
  pictures = [tmp_path / name for name in ("in.png", "out.png")]
  for path in pictures:
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
  head = {"version": 1, "source": {"name": "in.png", "sha256": "0" * 64}, "faces": []}
  (tmp_path / "out.png.json").write_text(json.dumps(head))
  (file,) = files.Job(tmp_path / "out.png.json").files
  assert file.has_original
  with pytest.raises(ValueError, match="is not the file that was protected"):
    file.original()


def test_original_of_a_folder_that_is_another_file_is_not_shown(tmp_path):
  """A folder's picture is compared with the length that it had, which the folder's journal knows."""
  sidecar = write(tmp_path)
  path = tmp_path / "photos" / "a.png"
  with journal.Journal(tmp_path / "safe" / ".deidentified.jsonl", "", tmp_path / "photos") as noted:
    noted.made("a.png", tmp_path / "safe" / "a.png", journal.state_of(path), {})
  assert files.Job(sidecar).files[0].original() == path
  path.write_bytes(path.read_bytes() + b"more")
  with pytest.raises(ValueError, match="is not the file that was protected: it had"):
    files.Job(sidecar).files[0].original()


def test_second_detector_looks_at_the_pictures_of_a_folder(tmp_path, monkeypatch):
  """What it finds and what of it is hidden is on the page, until something was made anew."""
  from qm_vae import types
  from qm_vae.faces import detectors

  boxes = np.float32([FACE["box"], [50, 30, 12, 12]])
  finder = types.Detector(lambda _: types.Detections(boxes, np.ones(2, np.float32)), 0.5, 0.25, {"name": "another"})
  monkeypatch.setattr(detectors, "open_detector", lambda _: finder)
  sidecar = write(tmp_path)
  content = json.loads(sidecar.read_text())
  content["method"] = {"name": "solid", "margin": 0.1, "feather": 0.05, "shape": "box"}
  add = {"action": "add", "frames": [0, 0], "boxes": [[0, 50, 30, 12, 12]]}
  content["files"][1] |= {
    "review": {"decisions": [add]},
    "faces": [{"box": [50, 30, 12, 12], "score": 1.0, "hidden": True, "how": "added"}],
  }
  sidecar.write_text(json.dumps(content))
  assert program.main([str(sidecar), "--coverage=another"]) == program.OK
  (row,) = json.loads((tmp_path / "safe.coverage.json").read_text())["files"]
  assert (row["pictures"], row["faces"], row["hidden"], row["found_only"]) == (2, 4, 2, 1)
  assert [one["file"] for one in row["missed"]] == ["a.png", "b.png"]
  text = page_reader.Reader((tmp_path / "safe.html").read_text()).text
  assert "another finds 4 faces in the originals of 2 pictures; 2 of them are hidden, 1 without added regions" in text
  assert "Not hidden: 2, in a.png, b.png." in text and "measure again" not in text
  sidecar.write_text(json.dumps(content | {"program": "later"}))
  assert program.main([str(sidecar), "--page"]) == program.OK
  assert "measure again" in page_reader.Reader((tmp_path / "safe.html").read_text()).text


def test_command_that_applies_keeps_the_options_of_the_job(tmp_path):
  """The job's own options stay, what the review file replaces goes, and a folder's finished files are left."""
  work = files.Job(write(tmp_path))
  words = "--method=mosaic --add=1:2,3,4,5 --drop 3 --overwrite --review --review-file=x"
  work.head["command"] = f"python -m qm_vae.deidentify {tmp_path}/photos {tmp_path}/safe {words}"
  arguments, place = applying.command(work, tmp_path / "r.json")
  assert arguments == [f"{tmp_path}/photos", f"{tmp_path}/safe", "--method=mosaic", f"--review-file={tmp_path}/r.json"]
  shown = f"cd {place}\npython -m qm_vae.deidentify {' '.join(arguments)}"
  assert applying.shown(arguments, place) == shown


@pytest.mark.parametrize(
  "command",
  [
    "rm -rf /",
    "python -m qm_vae.deidentify photos /tmp/other",
    "python -m qm_vae.deidentify photos safe --sidecar=other.json",
    "python -m qm_vae.deidentify photos safe --no-such-option",
    "",
  ],
)
def test_command_that_writes_something_else_is_not_run(command, tmp_path, capsys):
  """A record's command that is another program's, or writes elsewhere, is never run."""
  work = files.Job(write(tmp_path))
  work.head["command"] = command
  with pytest.raises(applying.CannotApply):
    applying.command(work, tmp_path / "r.json")


def test_saved_decisions_are_there_again_and_of_another_file_refused(tmp_path):
  """What was saved is read again; a review file of another picture is not taken for this one's."""
  sidecar = write(tmp_path)
  rows = [{"action": "drop", "track": 1, "box": FACE["box"]}]
  first = saved.Saved(files.Job(sidecar))
  assert first.sign("A Reviewer", "", first.put("a.png", {"decisions": rows, "seen": ["found:0:0"]}, 0)) == 2
  again = saved.Saved(files.Job(sidecar))
  assert again.of("a.png") == {"decisions": rows, "seen": ["found:0:0"]} and again.signed["by"] == "A Reviewer"
  with pytest.raises(saved.Outdated):
    first.put("a.png", {"decisions": [], "seen": []}, 1)
  again.put("a.png", {"decisions": [], "seen": []}, 0)
  assert again.signed is None  # what was signed is something else now


def test_auditor_page_says_what_was_done_and_loads_nothing(tmp_path):
  """The page of a folder has its counts, decisions, doubts and hashes, no script, and pictures within itself."""
  work = session.Session(write(tmp_path))
  add = {"action": "add", "frames": [0, 0], "boxes": [[0, 5, 6, 7, 8]]}
  work.save(1, {"decisions": [add], "seen": ["empty:0:0"]}, 0)
  path = auditor.write(work)
  text = path.read_text()
  reader = page_reader.Reader(text)
  assert not {"script", "link", "iframe", "object", "form"} & set(reader.tags)
  sources = [value for tag, name, value in reader.attributes if name == "src"]
  assert sources and all(value.startswith("data:image/jpeg;base64,") for value in sources)
  assert "url(" not in text and "default-src 'none'" in text
  for part in ("Not signed", "Not applied yet", "1 of 1 doubtful moments", "region drawn, hidden", "5, 6, 7, 8"):
    assert part in reader.text, part
  assert "What this page cannot say" in reader.text and "Not measured" in reader.text


def test_auditor_page_replaces_no_other_file(tmp_path):
  """A page of an earlier time is replaced, somebody else's file of that name is not."""
  work = session.Session(write(tmp_path))
  path = auditor.write(work)
  assert auditor.write(work) == path
  path.write_text("<p>mine</p>")
  with pytest.raises(ValueError, match="is no auditor's page"):
    auditor.write(work)
  assert path.read_text() == "<p>mine</p>"


def test_auditor_counts_by_who_decided(tmp_path):
  """What is visible is counted as dropped, kept, or left by an option, and what was drawn apart from what was found."""
  (tmp_path / "a.mp4").touch()
  decided = [{"action": "drop", "track": 1}, {"action": "keep", "track": 2, "frames": [0, 0]}]
  sidecar = Sidecar(tmp_path / "a.mp4.json", HEAD | {"review": {"decisions": decided}})
  for n in range(2):
    rows = [(place(1), False), (place(2), False), (place(3), True), (place(1_000_001, "added"), True)]
    sidecar.frame(n, n / 25, rows, "")
  sidecar.close({})
  (file,) = files.Job(tmp_path / "a.mp4.json").files
  row = auditor._row(file)
  counts = {key: row[key] for key in ("frames", "tracks", "found", "added", "dropped", "kept", "left")}
  assert counts == {"frames": 2, "tracks": 3, "found": 2, "added": 2, "dropped": 2, "kept": 1, "left": 1}


def test_file_with_a_failure_that_was_written_can_be_looked_at(tmp_path):
  """What failed in part is shown with its failure as a note; what was not written is a failure."""
  sidecar = write(tmp_path, {"file": "gone.png", "failures": ["disk full"]})
  content = json.loads(sidecar.read_text())
  content["files"][1]["failures"] = ["UNCHANGED"]
  sidecar.write_text(json.dumps(content))
  made = {file.name: (file.failures, file.notes) for file in files.Job(sidecar).files}
  assert made["b.png"] == ([], ["UNCHANGED"]) and made["gone.png"] == (["disk full"], [])


def test_program_writes_the_page_and_refuses_what_is_no_record(tmp_path, capsys):
  """--page writes OUT.html and ends; a file that is no record is an error that names it."""
  sidecar = write(tmp_path)
  assert program.main([str(sidecar), "--page"]) == program.OK and (tmp_path / "safe.html").stat().st_size > 5000
  sidecar.write_text("{}")
  assert program.main([str(sidecar), "--page"]) == program.USAGE
  assert "safe.json" in capsys.readouterr().err
