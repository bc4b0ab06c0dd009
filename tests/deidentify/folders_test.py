"""Folders: what is finished, whose file it is that lies in OUT, and what is replaced or removed."""

import json

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import contact_sheet, folder, job, one, options
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


def test_what_another_method_wrote_since_is_done_again(photos, capsys):
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


def test_the_same_name_in_another_folder_is_another_file(photos, tmp_path, capsys):
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


def test_a_file_that_failed_in_part_is_done_again_whatever_was_finished_before(photos, tmp_path, monkeypatch):
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


def test_an_error_that_nobody_foresaw_is_told_with_its_class_and_the_others_go_on(
  photos, drawn, tmp_path, monkeypatch, capsys
):
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


@pytest.mark.parametrize("error", [ValueError, OSError, RuntimeError])
def test_a_single_file_that_fails_ends_with_a_message(error, photos, monkeypatch, capsys):
  def protect(*_):
    raise error("it cannot be read")

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos/a.png", "safe.png"]) == program.FAILED
  assert "it cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("torn", [False, True])
def test_a_file_that_the_program_never_made_is_left(torn, photos, tmp_path, capsys):
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
def test_an_original_is_never_replaced_through_a_link(torn, photos, tmp_path):
  (photos / "below").mkdir()
  (photos / "a.png").rename(photos / "below" / "a.png")
  if torn:
    (photos / "below" / "a.png").write_bytes(b"no picture")
  before = (photos / "below" / "a.png").read_bytes()
  (tmp_path / "safe").mkdir()
  (tmp_path / "safe" / "below").symlink_to(photos / "below")
  assert program.main(["photos", "safe", "--overwrite"]) == program.FAILED
  assert (photos / "below" / "a.png").read_bytes() == before


def test_what_somebody_changed_since_is_left_and_what_is_outdated_is_removed(photos, tmp_path, capsys):
  made = tmp_path / "safe" / "a.png"
  assert program.main(["photos", "safe"]) == program.OK
  (photos / "a.png").write_bytes(b"no picture")
  assert program.main(["photos", "safe", "--method=blur"]) == program.FAILED
  assert not made.exists()
  made.write_bytes(b"mine")
  assert program.main(["photos", "safe"]) == program.FAILED
  assert made.read_bytes() == b"mine" and "exists; --overwrite" in capsys.readouterr().err


def test_what_a_killed_run_left_is_its_own_and_a_line_cut_short_hides_no_other(photos, tmp_path, monkeypatch):
  real = folder.Journal.made
  monkeypatch.setattr(folder.Journal, "made", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
  assert program.main(["photos", "safe"]) == program.FAILED
  monkeypatch.setattr(folder.Journal, "made", real)
  path = tmp_path / "safe" / ".deidentified.jsonl"
  path.write_text(path.read_text() + '{"settings": ')
  assert (tmp_path / "safe" / "a.png").exists()
  assert program.main(["photos", "safe"]) == program.OK
  assert '{"settings": ' in path.read_text().splitlines()
  assert [row["made"] for row in folder.rows(path) if row["file"] == "a.png"][:2] == ["begun", "begun"]


def test_a_record_that_no_earlier_run_wrote_is_left(photos, tmp_path, capsys):
  (tmp_path / "safe.json").write_text("mine")
  assert program.main(["photos", "safe"]) == program.FAILED
  assert "safe.json exists; --overwrite" in capsys.readouterr().err
  assert (tmp_path / "safe.json").read_text() == "mine" and not (tmp_path / "safe").exists()
  assert program.main(["photos", "safe", "--overwrite"]) == program.OK
  assert program.main(["photos", "safe"]) == program.OK
  assert json.loads((tmp_path / "safe.json").read_text())["files"][0]["file"] == "a.png"


@pytest.mark.parametrize(
  ("arguments", "told"),
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
def test_a_record_or_contact_sheet_replaces_nothing_unasked(arguments, told, photos, tmp_path, capsys):
  for name in ("in.png", "out.preview.png", "other.png.preview.png"):
    (tmp_path / name).write_bytes((photos / "a.png").read_bytes())
  (tmp_path / "mine.json").write_text("mine")
  before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
  assert program.main(arguments) in (program.USAGE, program.FAILED)
  assert told in capsys.readouterr().err
  assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_contact_sheet_of_an_earlier_run_is_replaced(photos, tmp_path):
  assert program.main(["photos", "safe", "--preview"]) == program.OK
  sheet = (tmp_path / "safe.preview.png").read_bytes()
  assert program.main(["photos", "safe", "--preview", "--method=blur"]) == program.OK
  assert (tmp_path / "safe.preview.png").read_bytes() != sheet
  (tmp_path / "moved").mkdir()
  for name in ("safe", "safe.json", "safe.preview.png"):
    (tmp_path / name).rename(tmp_path / "moved" / name)
  assert program.main(["photos", "moved/safe", "--preview"]) == program.OK


@pytest.mark.parametrize(("flag", "written"), [("--sidecar=", False), ("--sidecar=all.json", True)])
def test_no_sidecar_is_none_of_the_videos_either(flag, written, photos, tmp_path, monkeypatch):
  (photos / "a.png").rename(photos / "a.mp4")
  told = []

  def protect(work, source, target, sidecar):
    told.append(sidecar)
    target.touch()
    return job.Outcome(str(source), 1, (), (), {})

  monkeypatch.setattr(one, "protect", protect)
  assert program.main(["photos", "safe", flag]) == program.OK
  assert (told[0] is not None) == written == (tmp_path / "all.json").exists()
  assert not (tmp_path / "safe.json").exists()


def test_out_may_be_the_folder_itself_or_below_the_home(photos, tmp_path, monkeypatch):
  (tmp_path / "safe").mkdir()
  monkeypatch.chdir(tmp_path / "safe")
  assert program.main(["../photos", ".", "--preview"]) == program.OK
  assert {"safe.json", "safe.preview.png"} <= {path.name for path in tmp_path.iterdir()}
  monkeypatch.setenv("HOME", str(tmp_path))
  assert program.main(["../photos/a.png", "--output=~/x.png", "--preview"]) == program.OK
  assert {"x.png", "x.png.json", "x.png.preview.png"} <= {path.name for path in tmp_path.iterdir()}


def test_a_contact_sheet_that_cannot_be_written_ends_with_a_message(photos, tmp_path, monkeypatch, capsys):
  def write(self, path):
    raise PermissionError(13, "Permission denied", str(path))

  monkeypatch.setattr(contact_sheet.ContactSheet, "write", write)
  assert program.main(["photos/a.png", "safe.png", "--preview"]) == program.FAILED
  assert "safe.png.preview.png: Permission denied" in capsys.readouterr().err


def test_digits_are_a_camera_only_where_no_path_is_called_so(photos, tmp_path):
  photos.rename(tmp_path / "0")
  assert not options.parse(["0", "safe"]).live and options.parse(["1", "safe.mp4"]).live
  assert options.parse(["cam", "safe.mp4"]).live
  assert program.main(["0", "safe"]) == program.OK and (tmp_path / "safe" / "a.png").exists()
