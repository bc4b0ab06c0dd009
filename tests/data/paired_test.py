import os
import re

import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.audit import matching, people, swaps
from qm_vae.audit import pairs as paired_faces
from qm_vae.data import synthetic
from qm_vae.faces import cropping


def _empty(root, *names):
  for name in names:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()
  return root


def _save(path, image, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(image).save(path, **options)


def test_paired_directories_match_path_without_ending(tmp_path):
  """Directories match by path without ending."""
  before = _empty(tmp_path / "before", "b/1.jpg", "a/x.1.JPG", "é.png", ".hidden.jpg", ".cache/1.jpg", "notes.txt")
  # The same accent as a character of its own, as some file systems store it.
  after = _empty(tmp_path / "after", "a/x.1.png", "b/1.webp", "e\u0301.png", "._1.jpg")
  os.symlink(before, before / "loop")
  os.symlink(tmp_path / "nowhere.jpg", before / "dangling.jpg")
  os.mkfifo(before / "pipe.jpg")
  pairs = matching.match(before, str(after))
  assert [pair.name for pair in pairs] == ["a/x.1.JPG", "b/1.jpg", "é.png"]
  assert pairs[0] == ("a/x.1.JPG", before / "a/x.1.JPG", after / "a/x.1.png")


def test_paired_all_not_match_named_once(tmp_path):
  """All that does not match is named at once."""
  before = _empty(tmp_path / "before", "a.jpg", "a.png", "b.jpg", *(f"{i:02d}.jpg" for i in range(23)))
  after = _empty(tmp_path / "after", "a.jpg", "b.jpg", "b.tif", "c/d.png")
  with pytest.raises(matching.Mismatch) as error:
    matching.match(before, after)
  printed = str(error.value).splitlines()[1:]
  assert printed[0].startswith("- originals without a protected picture (23): '00.jpg', '01.jpg'")
  assert printed[0].endswith("'19.jpg' and 3 more")
  assert printed[1:] == [
    "- protected pictures without an original (1): 'c/d.png'",
    "- originals that differ in nothing but their endings (2): 'a.jpg', 'a.png'",
    "- protected pictures that differ in nothing but their endings (2): 'b.jpg', 'b.tif'",
  ]


def test_paired_sides_cannot_matched(tmp_path):
  """Sides that cannot be matched."""
  before, after = _empty(tmp_path / "before", "a.jpg", "in/a.jpg"), _empty(tmp_path / "after", "b.jpg")
  (tmp_path / "list.txt").write_text("before/a.jpg\n")
  (tmp_path / "empty").mkdir()
  for one, other, message in (
    (before, before / "../before", "are both"),
    (before, before / "in", "inside"),
    (before, tmp_path / "list.txt", "a directory and a list"),
    (before, tmp_path / "absent", "protected is .*absent.*neither"),
    (before, after, r"(?s)nothing on one side.*'a.jpg', 'in/a.jpg'.*'b.jpg'"),
    (tmp_path / "empty", _empty(tmp_path / "none", "x.txt"), "no picture in .*webp"),
  ):
    with pytest.raises(matching.Mismatch, match=message):
      matching.match(one, other)


def test_paired_lists_match_line_line(tmp_path):
  """Lists match line by line."""
  _empty(tmp_path, "b.jpg", "a.jpg", "out/1.png", "out/2.png")
  (tmp_path / "before.txt").write_text(f"# two\n./b.jpg\r\n\n{tmp_path}/a.jpg\n", encoding="utf-8-sig")
  (tmp_path / "after.txt").write_text("out/1.png\n# \nout/2.png")
  pairs = matching.match(tmp_path / "before.txt", tmp_path / "after.txt")
  assert [(pair.name, pair.protected.name) for pair in pairs] == [(f"{tmp_path}/a.jpg", "2.png"), ("b.jpg", "1.png")]
  (tmp_path / "after.txt").write_text("out/1.png\nout/../out/1.png\nout/3.png\n")
  message = r"(?s)lists 2 pictures, .*after.txt 3.*not there \(1\): '.*out/3.png'.*more than once \(1\): '.*out/1.png'"
  with pytest.raises(matching.Mismatch, match=message):
    matching.match(tmp_path / "before.txt", tmp_path / "after.txt")
  (tmp_path / "after.txt").write_bytes(b"\xff\xd8\xff")
  with pytest.raises(matching.Mismatch, match="no UTF-8 text"):
    matching.match(tmp_path / "before.txt", tmp_path / "after.txt")


def test_paired_identities_folder():
  """Identities by folder."""
  identity, who = people.identities(["10/a.jpg", "9/b.jpg", "c.jpg", "9/d.jpg"])
  assert who == ("9", "10") and identity.dtype == np.int32
  assert identity.tolist() == [1, 0, types.UNKNOWN, 0]
  with pytest.raises(ValueError, match=r"all 2 pictures lie in one folder.*give --labels"):
    people.identities(["a.jpg", "b.jpg"])


def test_paired_identities_csv(tmp_path):
  """Identities by CSV."""
  path = tmp_path / "labels.csv"
  path.write_text("who, file\nBob,./p/a.jpg\nAnn,p/b\n,c.png\nAnn,other.jpg\nBob,p/a.jpg\n", encoding="utf-8-sig")
  identity, who = people.identities(["c.jpg", "p/a.jpg", "p/b.jpg"], path, "file", "who")
  assert who == ("Ann", "Bob") and identity.tolist() == [types.UNKNOWN, 1, 0]
  with pytest.raises(ValueError, match=r"no column 'image' and no column 'identity'; its columns are 'who', 'file'"):
    people.identities(["c.jpg"], path)
  with pytest.raises(ValueError, match=r"without a row.*\(2\): 'd.jpg', 'p/e.jpg'"):
    people.identities(["d.jpg", "p/a.jpg", "p/e.jpg"], path, "file", "who")
  path.write_text("image,identity\na.jpg,Ann\na.png,Ann\na.jpg,Bob\nb.png,1\nb.tif,2\n")
  with pytest.raises(ValueError, match=r"a.jpg \('Ann' in line 2, 'Bob' in line 4\)") as error:
    people.identities(["a.jpg", "b.jpg"], path)
  assert "b.jpg" in str(error.value)
  path.write_bytes(b"image,identity\n\xff,1\n")
  for unreadable in (path, tmp_path, tmp_path / "absent.csv"):
    with pytest.raises(ValueError, match="cannot be read as a UTF-8 CSV"):
      people.identities(["a.jpg"], unreadable)


def test_paired_thumbnail_mean_areas():
  """Thumbnail is the mean of areas."""
  image = np.random.default_rng(0).integers(0, 256, (33, 40, 3), np.uint8)
  # Every pixel sixteen times: then the areas are whole pixels. The tolerance is float32's rounding of 255.
  large = image.mean(-1).repeat(16, 0).repeat(16, 1).reshape(16, 33, 16, 40).mean((1, 3))
  np.testing.assert_allclose(swaps.thumbnail(image), large, atol=1e-3)
  assert swaps.thumbnail(image[:1, :1]).shape == (16, 16)


def test_paired_exchanged_pictures_found_nothing_else():
  """Exchanged pictures are found and nothing else."""
  drawn = synthetic.make(num_people=40, images_per_person=1, frame_size=48)
  original = np.array([swaps.thumbnail(drawn[i].image) for i in range(40)])
  noisy = original + np.random.default_rng(0).normal(0, 4, original.shape)
  changed = noisy.copy()
  changed[[3, 17]] = noisy[[17, 3]]
  changed[[5, 6, 7]] = noisy[[6, 7, 5]]
  assert swaps.swapped(original, changed) == ((3, 17), (5, 6), (6, 7), (7, 5), (17, 3))
  for same in (noisy, np.full_like(original, 127), np.broadcast_to(original[3], original.shape), noisy[::-1] * 0 + 1):
    assert swaps.swapped(original, same) == ()
  others = synthetic.make(num_people=40, images_per_person=1, frame_size=48, first_person=100)
  assert swaps.swapped(original, np.array([swaps.thumbnail(others[i].image) for i in range(40)])) == ()


@pytest.fixture(scope="module")
def drawn():
  source = synthetic.make(num_people=14, images_per_person=1, frame_size=96)
  return [source[i].image for i in range(14)]


def test_paired_load(tmp_path, drawn):
  """Load."""
  before, after = tmp_path / "before", tmp_path / "after"
  noise = np.random.default_rng(0).integers(-40, 41, (96, 96, 3))
  protected = [np.clip(image + noise, 0, 255).astype(np.uint8) for image in drawn]
  plain = np.zeros((96, 96, 3), np.uint8)
  turned = Image.Exif()
  turned[0x0112] = 6  # a camera held upright
  for i, image in enumerate(drawn):
    _save(before / f"{i:02d}.png", image)
    _save(after / f"{i:02d}.png", protected[i])
  _save(after / "00.png", drawn[0])  # returned as it was
  _save(after / "01.png", protected[2])
  _save(after / "02.png", protected[1])  # exchanged
  _save(after / "03.png", protected[3].repeat(2, 0).repeat(2, 1))  # enlarged
  _save(after / "04.png", protected[4][:, :48])  # cut
  (after / "05.png").write_bytes((after / "05.png").read_bytes()[:-500])
  (before / "06.png").write_bytes(b"")
  _save(before / "07.png", plain)
  _save(after / "07.png", plain)
  _save(before / "08.png", np.rot90(drawn[8]).copy(), exif=turned)  # read as drawn, like the protected one
  hidden = drawn[9].copy()
  hidden[0, 0] ^= 255  # far from the face
  _save(after / "09.png", hidden)
  pairs = matching.match(before, after)
  settings = cropping.Settings(image_size=32)
  result = paired_faces.load(pairs, np.arange(14), settings, tmp_path / "cache", show=False)

  found = result.pairs
  without = {missed.name for missed in result.missed}
  assert without >= {"07.png"} and len(without) <= 2  # of the drawn faces the cascade finds at least 95 %
  names = [f"{i:02d}.png" for i in range(14) if i not in (4, 5, 6) and f"{i:02d}.png" not in without]
  assert list(found.name) == names and found.identity.tolist() == [int(name[:2]) for name in names]
  assert found.pixels.shape == (len(names), 96, 96, 3) and found.eyes.shape == (len(names), 4)
  at = found.name.index
  np.testing.assert_array_equal(found.protected[at("00.png")], found.original[at("00.png")])
  np.testing.assert_array_equal(found.pixels[at("09.png")], hidden)
  np.testing.assert_array_equal(found.pixels[at("08.png")], protected[8])
  boxes = cropping.detect(drawn[8], settings)
  for image, got in ((drawn[8], found.original), (protected[8], found.protected)):
    np.testing.assert_array_equal(got[at("08.png")], cropping.crop(image, boxes[0], settings)[0])
  # An image whose pixels were doubled has the same area means, up to the rounding to 8 bits.
  twin = cropping.crop(protected[3], cropping.detect(drawn[3], settings)[0], settings)[0]
  np.testing.assert_allclose(found.protected[at("03.png")], twin.astype(np.float32), atol=1)

  assert result.resized == (("03.png", (96, 96), (192, 192)),)
  assert result.incomparable == (("04.png", "96 x 96 pixels became 48 x 96"),)
  assert [broken.name for broken in result.unreadable] == ["05.png", "06.png"]
  assert re.match("protected picture: .*", result.unreadable[0].reason)
  assert result.unreadable[1].reason == "original: the file is empty"
  assert result.unprotected == (("00.png", np.inf), ("07.png", np.inf), ("09.png", np.inf))
  assert result.swapped == (("01.png", "02.png"), ("02.png", "01.png"))


def test_paired_psnr_face_full_resolution(tmp_path, drawn):
  """Psnr is that of the face at full resolution."""
  settings = cropping.Settings(image_size=16, detector="none")
  image, changed = np.zeros((90, 60, 3), np.uint8), np.zeros((90, 60, 3), np.uint8)
  changed[15:75:2] = 3  # half of the rows of the centred square: 10 log10(255^2 / 4.5) = 41.60 dB
  _save(tmp_path / "before/a.png", image)
  _save(tmp_path / "after/a.png", changed)
  _save(tmp_path / "before/b.png", image[:20, :20])  # smaller than any face: compared as a whole
  _save(tmp_path / "after/b.png", changed[15:35, :20])
  _save(tmp_path / "before/c.png", image)
  _save(tmp_path / "after/c.png", changed * 2)  # 35.58 dB
  pairs = matching.match(tmp_path / "before", tmp_path / "after")
  result = paired_faces.load(pairs, np.zeros(3), settings, tmp_path / "cache", show=False)
  assert [each.name for each in result.unprotected] == ["a.png", "b.png"]
  # float64 throughout.
  np.testing.assert_allclose([each.psnr for each in result.unprotected], 10 * np.log10(255**2 / 4.5), rtol=1e-12)
  assert [each.name for each in result.missed] == ["b.png"] and result.pairs.pixels.shape == (2, 90, 60, 3)


def test_paired_nothing_found(tmp_path):
  """Nothing found."""
  _save(tmp_path / "before/a.png", np.zeros((40, 50, 3), np.uint8))
  _save(tmp_path / "after/a.png", np.full((40, 50, 3), 99, np.uint8))
  pairs = matching.match(tmp_path / "before", tmp_path / "after")
  result = paired_faces.load(pairs, np.zeros(1), cropping.Settings(), tmp_path / "cache", show=False)
  assert len(result.pairs) == 0 and result.pairs.pixels.shape == (0, 0, 0, 3)
  assert result.missed == (("a.png", "no face found"),) and result.unprotected == ()


def test_paired_second_face_left_named(tmp_path, drawn):
  """A second face that was left is named."""
  settings = cropping.Settings(image_size=32)
  one, other = [image for image in drawn if len(cropping.detect(image, settings)) == 1][:2]
  wide = np.concatenate([one.repeat(2, 0).repeat(2, 1), np.pad(other, ((0, 96), (0, 0), (0, 0)))], 1)
  hidden = wide.copy()
  hidden[:, :192] = 128
  _save(tmp_path / "before/a.png", wide)
  _save(tmp_path / "after/a.png", hidden)
  _save(tmp_path / "before/b.png", wide)
  _save(tmp_path / "after/b.png", np.full_like(wide, 128))
  pairs = matching.match(tmp_path / "before", tmp_path / "after")
  result = paired_faces.load(pairs, np.zeros(2), settings, tmp_path / "cache", show=False)
  ((name, (x, y, width, height)),) = result.further
  assert name == "a.png" and x > 180 and y + height <= 110 and width >= 24 and result.unprotected == ()
