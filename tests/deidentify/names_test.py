"""Names, links, pipes and disks as folders have them: nothing hangs, nothing is lost, and no original is replaced."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import folder, journal, one
from qm_vae.deidentify.video.aside import Aside, naming
from qm_vae.io import images, records


@pytest.fixture
def photos(tmp_path, monkeypatch):
  """A folder with a.png, a drawn face, beside which the program works."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "photos").mkdir()
  source = synthetic.make(num_people=1, images_per_person=1, frame_size=96, seed=0)
  Image.fromarray(source[0].image).save(tmp_path / "photos" / "a.png")
  return tmp_path / "photos"


def test_walk_pipes_links_and_apple_double(photos, tmp_path, capsys):
  """A pipe is not opened, a link to a folder is told, and macOS's `._` files are no pictures; a real one is."""
  if not hasattr(os, "mkfifo"):
    pytest.skip("this system has no named pipes")
  os.mkfifo(photos / "pipe.jpg")
  (tmp_path / "more").mkdir()
  (photos / "linked").symlink_to(tmp_path / "more", target_is_directory=True)
  (photos / "._a.png").write_bytes(bytes.fromhex("00051607") + bytes(40))
  (photos / "._b.png").write_bytes((photos / "a.png").read_bytes())
  found = folder.walk(photos)
  assert [str(path) for path in found.wanted] == ["._b.png", "a.png"]
  assert found.others == ["._a.png", "pipe.jpg"] and found.links == ["linked"]
  assert program.main(["photos", "safe"]) == program.OK
  message = capsys.readouterr().err
  assert "1 links to folders were not followed" in message and "pipe.jpg" in message
  assert program.main([str(photos / "pipe.jpg"), "out.jpg"]) == program.USAGE
  assert "is a pipe or a device" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.heic", "x.jxl", "x.dng", "x.CR2"])
def test_pictures_that_cannot_be_read_are_failures(name, photos, capsys, monkeypatch):
  """A picture of a form that is not read here fails by its name, with exit status 1."""
  monkeypatch.setattr(images, "can_read_heif", lambda: False)
  (photos / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
  assert program.main(["photos", "safe"]) == program.FAILED
  message = capsys.readouterr().err
  assert f"failed: {name}" in message and "1 failures" in message
  assert ("pillow-heif" in message) == (name == "x.heic")


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_pictures_of_modern_forms_are_protected(suffix, photos):
  """AVIF by Pillow and HEIC by pillow-heif are read and written under their own names."""
  if suffix == ".heic":
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    assert images.can_read_heif()
  elif ".avif" not in Image.registered_extensions():
    pytest.skip("this Pillow has no AVIF")
  images.write_image(photos / f"b{suffix}", np.asarray(Image.open(photos / "a.png")))
  assert program.main([str(photos / f"b{suffix}"), f"safe{suffix}"]) == program.OK
  before, after = images.read_image(photos / f"b{suffix}"), images.read_image(f"safe{suffix}")
  assert before.shape == after.shape and np.abs(before.astype(int) - after).max() > 50


def test_names_are_written_out_to_the_terminal(photos, capsys):
  """What would clear the screen, forge a line or turn the text is seen as what it is."""
  name = "\x1b[2Jx\nfailed: nobody\u202e.png"
  (photos / name).write_bytes(b"no picture")
  assert program.main(["photos", "safe"]) == program.FAILED
  message = capsys.readouterr().err
  assert "\x1b[2J" not in message and "\u202e" not in message and "\nfailed: nobody" not in message
  assert r"failed: \x1b[2Jx\nfailed: nobody\u202e.png" in message


@pytest.mark.parametrize("name", ["http:a.png", "concat:a|b.png", "-a.png", "é" * 118 + ".png", "12:30.png"])
def test_names_of_any_kind(name, photos):
  """A protocol's name, a colon, a leading dash and 240 bytes are names like others."""
  (photos / "a.png").rename(photos / name)
  assert program.main(["photos", "safe"]) == program.OK
  assert [path.name for path in pathlib.Path("safe").glob("*.png")] == [name]
  pathlib.Path("out").mkdir()
  assert program.main([str(photos / name), "-o", f"out/{name}"]) == program.OK


@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
def test_overwrite_never_through_a_link(how, photos, capsys):
  """OUT that is IN by a link is refused; a link to another file is replaced, and that file stays."""
  before = (photos / "a.png").read_bytes()
  getattr(pathlib.Path("out.png"), how)(photos / "a.png")
  assert program.main(["photos/a.png", "out.png", "--overwrite"]) == program.USAGE
  assert "the original is never replaced" in capsys.readouterr().err
  other = photos / "b.png"
  other.write_bytes(before)
  getattr(pathlib.Path("other.png"), how)(other)
  assert program.main(["photos/a.png", "other.png", "--overwrite"]) == program.OK
  assert other.read_bytes() == before == (photos / "a.png").read_bytes()
  assert pathlib.Path("other.png").read_bytes() != before


def test_beside_never_replaces_another_input(photos, capsys):
  """With --beside --overwrite no input becomes another one's output before it was read."""
  (photos / "a.safe.png").write_bytes((photos / "a.png").read_bytes())
  given = [str(photos / name) for name in ("a.png", "a.safe.png")]
  assert program.main([*given, "--beside", "--overwrite"]) == program.USAGE
  assert "would be OUT of" in capsys.readouterr().err


def test_two_writers_of_one_file(tmp_path):
  """The second of two processes that write one file fails, and the first one's part stays."""
  code = f"""
import sys, time
from qm_vae.deidentify.video.aside import Aside
Aside({str(tmp_path / "out.png")!r})
print("ready", flush=True)
sys.stdin.readline()
"""
  other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
  try:
    assert other.stdout and other.stdout.readline() == "ready\n"
    with pytest.raises(FileExistsError, match=f"being written by the process {other.pid}"):
      Aside(tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == [f".out.png.{other.pid}.part"]
  finally:
    other.communicate("\n")
  Aside(tmp_path / "out.png").drop()
  assert not list(tmp_path.iterdir())  # what the ended process left is gone, too


def test_two_runs_into_one_folder(photos, capsys):
  """A second run into the same folder is refused while the first one works."""
  pytest.importorskip("fcntl", reason="this system has no such locks")
  safe = pathlib.Path("safe")
  safe.mkdir()
  with journal.Journal(safe / ".deidentified.jsonl", "", photos):
    assert program.main(["photos", "safe"]) == program.FAILED
  assert "another run writes to safe now" in capsys.readouterr().err
  assert program.main(["photos", "safe"]) == program.OK


def test_full_disk_is_named(photos, monkeypatch, capsys):
  """A full disk leaves nothing, and the message names OUT, not IN; so does the record's."""

  def full(*_, **__):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(images, "_read_again", full)
  assert program.main(["photos/a.png", "out.png"]) == program.FAILED
  assert "out.png: No space left on device" in capsys.readouterr().err
  assert not [path for path in pathlib.Path().iterdir() if "out.png" in path.name]
  with pytest.raises(OSError, match="No space") as caught, naming("here.json"):
    full()
  assert one.message_of(caught.value) == "here.json: No space left on device"
  monkeypatch.setattr(pathlib.Path, "replace", full)
  with pytest.raises(OSError, match="No space") as caught:
    records.write_text("record.json", "{}")
  assert caught.value.filename == "record.json" and not list(pathlib.Path().glob(".record*"))


def test_two_hundred_megapixels_have_a_remedy(photos, capsys, monkeypatch):
  """A picture that is too large fails by its name, with the remedy."""
  monkeypatch.setattr(images, "MAX_PIXELS", 10**6)
  Image.new("L", (1001, 1000)).save(photos / "large.png")
  assert program.main(["photos", "safe"]) == program.FAILED
  message = capsys.readouterr().err
  assert "large.png" in message and "more than 1 million pixels" in message and "scale it down" in message


def test_record_of_a_long_name(tmp_path):
  """The record of a video whose name has 240 bytes is written aside under a shorter name, and debris is known by it."""
  final = tmp_path / ("é" * 118 + ".mp4.json")
  aside = Aside(final)
  assert len(os.fsencode(aside.path.name)) < 200
  aside.path.write_text("{}")
  left = aside.path.with_name(aside.path.name.replace(f".{os.getpid()}.", ".999999999."))
  left.touch()
  aside.publish()
  assert final.read_text() == "{}"
  Aside(final).drop()
  assert [path.name for path in tmp_path.iterdir()] == [final.name]
