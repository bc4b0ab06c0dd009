"""Folders: what is finished, whose file it is that lies in OUT, and what is replaced or removed."""

import json

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import contact_sheet, job, journal, one, options
from qm_vae.errors import InputError
from qm_vae.faces import cropping


@pytest.fixture(scope="module")
def drawn():
  """A drawn face that the cascade finds, uint8 [96, 96, 3]."""
  source = synthetic.make(num_people=4, images_per_person=1, frame_size=96, seed=0)
  return next(source[i].image for i in range(4) if len(cropping.detect(source[i].image, cropping.Settings())))


@pytest.fixture
def photos(drawn, tmp_path, monkeypatch):
  """A folder with one picture, beside which the program works."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "photos").mkdir()
  Image.fromarray(drawn).save(tmp_path / "photos" / "a.png")
  return tmp_path / "photos"


def written(path):
  with Image.open(path) as image:
    return np.asarray(image)


def test_folders_another_method_wrote_since_done(photos, capsys):
  """What another method wrote since is done again."""
  assert program.main(["photos", "safe"]) == program.OK
  solid = written("safe/a.png")
  assert program.main(["photos", "safe", "--method=blur"]) == program.OK
  assert (written("safe/a.png") != solid).any()
  capsys.readouterr()
  assert program.main(["photos", "safe"]) == program.OK
  assert "done before" not in capsys.readouterr().err
  np.testing.assert_array_equal(written("safe/a.png"), solid)
  assert program.main(["photos", "safe"]) == program.OK
  assert "1 of them done before" in capsys.readouterr().err


def test_folders_same_name_another_folder_another(photos, tmp_path, capsys):
  """The same name in another folder is another file."""
  assert program.main(["photos", "safe"]) == program.OK
  photos.rename(tmp_path / "others")
  before = (tmp_path / "safe" / "a.png").stat()
  capsys.readouterr()
  assert program.main(["others", "safe"]) == program.FAILED
  assert "safe.json exists; --overwrite replaces it" in capsys.readouterr().err
  assert program.main(["others", "safe", "--sidecar="]) == program.FAILED
  assert "a.png exists; --overwrite replaces it" in capsys.readouterr().err
  assert (tmp_path / "safe" / "a.png").stat() == before
  assert program.main(["others", "safe", "--overwrite"]) == program.OK


def test_folders_file_failed_part_done_again(photos, tmp_path, monkeypatch):
  """A file that failed in part is done again whatever was finished before."""
  (photos / "a.png").rename(photos / "a.mp4")
  failures = []

  def protect(work, source, target, sidecar):
    target.write_text(f"{work.method['name']} {failures}")
    sidecar.write_text("{}")
    return job.Outcome(str(source), 1, (), tuple(failures), {})

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos", "safe"]) == program.OK
  failures.append("a part is black")
  assert program.main(["photos", "safe", "--method=blur"]) == program.FAILED
  failures.clear()
  assert program.main(["photos", "safe"]) == program.OK
  assert (tmp_path / "safe" / "a.mp4").read_text() == "solid []"


def test_folders_error_nobody_foresaw_told_class(photos, drawn, tmp_path, monkeypatch, capsys):
  """An error that nobody foresaw is told with its class and the others go on."""
  Image.fromarray(drawn).save(photos / "b.png")
  real = one.protect

  def protect(work, source, target, sidecar):
    if source.name == "a.png":
      raise AttributeError("no attribute 'name'")
    return real(work, source, target, sidecar)

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos", "safe"]) == program.FAILED
  assert "failed: a.png: AttributeError: no attribute 'name'" in capsys.readouterr().err
  assert [path.name for path in (tmp_path / "safe").glob("*.png")] == ["b.png"]


@pytest.mark.parametrize("error", [InputError, OSError, ImportError])
def test_folders_single_file_fails_ends_message(error, photos, monkeypatch, capsys):
  """A single file that fails ends with a message."""

  def protect(*_):
    raise error("it cannot be read")

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos/a.png", "safe.png"]) == program.FAILED
  assert "it cannot be read" in capsys.readouterr().err


def test_folders_single_file_fault_of_the_code_shows_its_traceback(photos, monkeypatch):
  """What nobody raises on purpose is no message."""

  def protect(*_):
    raise AttributeError("no attribute 'name'")

  monkeypatch.setattr(one, "protect", protect)
  with pytest.raises(AttributeError):
    program.main(["photos/a.png", "safe.png"])


@pytest.mark.parametrize("torn", [False, True])
def test_folders_file_program_never_made_left(torn, photos, tmp_path, capsys):
  """A file that the program never made is left."""
  mine = tmp_path / "safe" / "a.png"
  mine.parent.mkdir()
  mine.write_bytes(b"mine")
  if torn:
    (photos / "a.png").write_bytes(b"no picture")
  assert program.main(["photos", "safe"]) == program.FAILED
  assert "failed: a.png: safe/a.png exists; --overwrite replaces it" in capsys.readouterr().err
  assert mine.read_bytes() == b"mine"
  assert program.main(["photos", "safe", "--overwrite"]) == (program.FAILED if torn else program.OK)
  assert not mine.exists() if torn else mine.read_bytes() != b"mine"


@pytest.mark.parametrize("torn", [False, True])
def test_folders_original_never_replaced_through_link(torn, photos, tmp_path):
  """An original is never replaced through a link."""
  (photos / "below").mkdir()
  (photos / "a.png").rename(photos / "below" / "a.png")
  if torn:
    (photos / "below" / "a.png").write_bytes(b"no picture")
  before = (photos / "below" / "a.png").read_bytes()
  (tmp_path / "safe").mkdir()
  (tmp_path / "safe" / "below").symlink_to(photos / "below")
  assert program.main(["photos", "safe", "--overwrite"]) == program.FAILED
  assert (photos / "below" / "a.png").read_bytes() == before


def test_folders_somebody_changed_since_left_outdated(photos, tmp_path, capsys):
  """What somebody changed since is left and what is outdated is removed."""
  made = tmp_path / "safe" / "a.png"
  assert program.main(["photos", "safe"]) == program.OK
  (photos / "a.png").write_bytes(b"no picture")
  assert program.main(["photos", "safe", "--method=blur"]) == program.FAILED
  assert not made.exists()
  made.write_bytes(b"mine")
  assert program.main(["photos", "safe"]) == program.FAILED
  assert made.read_bytes() == b"mine" and "exists; --overwrite" in capsys.readouterr().err


def test_folders_killed_run_left_own_line(photos, tmp_path, monkeypatch):
  """What a killed run left is its own and a line cut short hides no other."""
  real = journal.Journal.made
  monkeypatch.setattr(journal.Journal, "made", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
  assert program.main(["photos", "safe"]) == program.FAILED
  monkeypatch.setattr(journal.Journal, "made", real)
  path = tmp_path / "safe" / ".deidentified.jsonl"
  path.write_text(path.read_text() + '{"settings": ')
  assert (tmp_path / "safe" / "a.png").exists()
  assert program.main(["photos", "safe"]) == program.OK
  assert '{"settings": ' in path.read_text().splitlines()
  assert [row["made"] for row in journal.rows(path) if row["file"] == "a.png"][:2] == ["begun", "begun"]


def test_folders_record_no_earlier_run_wrote(photos, tmp_path, capsys):
  """A record that no earlier run wrote is left."""
  (tmp_path / "safe.json").write_text("mine")
  assert program.main(["photos", "safe"]) == program.FAILED
  assert "safe.json exists; --overwrite" in capsys.readouterr().err
  assert (tmp_path / "safe.json").read_text() == "mine" and not (tmp_path / "safe").exists()
  assert program.main(["photos", "safe", "--overwrite"]) == program.OK
  assert program.main(["photos", "safe"]) == program.OK
  assert json.loads((tmp_path / "safe.json").read_text())["files"][0]["file"] == "a.png"


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["in.png", "out.png", "--sidecar=in.png"], "is IN"),
    (["in.png", "out.png", "--sidecar=./photos/../in.png", "--overwrite"], "is IN"),
    (["in.png", "out.png", "--sidecar=out.png"], "is OUT"),
    (["in.png", "out.png", "--sidecar=out.png.preview.png", "--preview"], "the contact sheet"),
    (["out.preview.png", "out", "--preview"], "is IN"),
    (["in.png", "out.png", "--sidecar=photos"], "a folder"),
    (["in.png", "out.png", "--sidecar=mine.json"], "mine.json, which would be written beside OUT, exists"),
    (["in.png", "other.png", "--preview"], "other.png.preview.png, which would be written beside OUT, exists"),
    (["photos", "safe", "--sidecar=photos/a.png", "--overwrite"], "lies in IN"),
    (["photos", "safe", "--sidecar=safe/a.png"], "protected file"),
    (["photos", "safe", "--sidecar=safe/a.mp4.json"], "protected file"),
    (["photos", "safe", "--sidecar=safe/.deidentified.jsonl"], "protected file"),
    (["photos", "safe", "--sidecar=mine.json"], "mine.json exists"),
    (["photos", "other.png", "--preview"], "other.png.preview.png exists"),
  ],
)
def test_folders_record_contact_sheet_replaces_nothing(arguments, message, photos, tmp_path, capsys):
  """A record or contact sheet replaces nothing unasked."""
  for name in ("in.png", "out.preview.png", "other.png.preview.png"):
    (tmp_path / name).write_bytes((photos / "a.png").read_bytes())
  (tmp_path / "mine.json").write_text("mine")
  before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
  assert program.main(arguments) in (program.USAGE, program.FAILED)
  assert message in capsys.readouterr().err
  assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_folders_contact_sheet_earlier_run_replaced(photos, tmp_path):
  """A contact sheet of an earlier run is replaced."""
  assert program.main(["photos", "safe", "--preview"]) == program.OK
  sheet = (tmp_path / "safe.preview.png").read_bytes()
  assert program.main(["photos", "safe", "--preview", "--method=blur"]) == program.OK
  assert (tmp_path / "safe.preview.png").read_bytes() != sheet
  (tmp_path / "moved").mkdir()
  for name in ("safe", "safe.json", "safe.preview.png"):
    (tmp_path / name).rename(tmp_path / "moved" / name)
  assert program.main(["photos", "moved/safe", "--preview"]) == program.OK


@pytest.mark.parametrize(("flag", "written"), [("--sidecar=", False), ("--sidecar=all.json", True)])
def test_folders_no_sidecar_none_videos_either(flag, written, photos, tmp_path, monkeypatch):
  """No sidecar is none of the videos either."""
  (photos / "a.png").rename(photos / "a.mp4")
  message = []

  def protect(work, source, target, sidecar):
    message.append(sidecar)
    target.touch()
    return job.Outcome(str(source), 1, (), (), {})

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos", "safe", flag]) == program.OK
  assert (message[0] is not None) == written == (tmp_path / "all.json").exists()
  assert not (tmp_path / "safe.json").exists()


def test_folders_out_folder_itself_below_home(photos, tmp_path, monkeypatch):
  """Out may be the folder itself or below the home."""
  (tmp_path / "safe").mkdir()
  monkeypatch.chdir(tmp_path / "safe")
  assert program.main(["../photos", ".", "--preview"]) == program.OK
  assert {"safe.json", "safe.preview.png"} <= {path.name for path in tmp_path.iterdir()}
  monkeypatch.setenv("HOME", str(tmp_path))
  assert program.main(["../photos/a.png", "--output=~/x.png", "--preview"]) == program.OK
  assert {"x.png", "x.png.json", "x.png.preview.png"} <= {path.name for path in tmp_path.iterdir()}


def test_folders_contact_sheet_cannot_written_ends(photos, tmp_path, monkeypatch, capsys):
  """A contact sheet that cannot be written ends with a message."""

  def write(self, path):
    raise PermissionError(13, "Permission denied", str(path))

  monkeypatch.setattr(contact_sheet.ContactSheet, "write", write)
  assert program.main(["photos/a.png", "safe.png", "--preview"]) == program.FAILED
  assert "safe.png.preview.png: Permission denied" in capsys.readouterr().err


def test_folders_digits_camera_only_no_path(photos, tmp_path):
  """Digits are a camera only where no path is called so."""
  photos.rename(tmp_path / "0")
  assert not options.parse(["0", "safe"]).live and options.parse(["1", "safe.mp4"]).live
  assert options.parse(["cam", "safe.mp4"]).live
  assert program.main(["0", "safe"]) == program.OK and (tmp_path / "safe" / "a.png").exists()
