"""Colour profiles made anew: the same colours, and nothing else of the original's bytes."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from qm_vae.io import icc, image_contents

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def jpeg():
  with io.BytesIO() as file:
    Image.fromarray(RGB).save(file, "JPEG")
    return file.getvalue()


def with_tag(profile, name, data):
  """The profile with one tag more."""
  (count,) = struct.unpack_from(">I", profile, 128)
  entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
  entries = [(tag, start + 12, size) for tag, start, size in entries] + [(name, len(profile) + 12, len(data))]
  table = b"".join(struct.pack(">4sII", *entry) for entry in entries)
  made = profile[:128] + struct.pack(">I", count + 1) + table + profile[132 + 12 * count :] + data
  return struct.pack(">I", len(made)) + made[4:]


def lab(profile):
  given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
  made = ImageCms.profileToProfile(Image.fromarray(RGB), given, ImageCms.createProfile("LAB"), outputMode="LAB")
  return np.asarray(made)


@pytest.mark.parametrize("version", [2, 4])
def test_rebuilt_profile_tells_the_same_colours(version):
  """Every colour is the same to within what version 2's integers round."""
  given = SRGB[:8] + bytes([version]) + SRGB[9:]
  made = icc.rebuilt(given)
  assert made[8] == version and np.abs(lab(made).astype(int) - lab(given)).max() <= 1
  assert icc.rebuilt(made) == made


@pytest.mark.parametrize("where", ["tag", "copyright", "end", "curve"])
def test_picture_in_a_profile_does_not_survive(where, tmp_path):
  """A face's JPEG in a private tag, a word, behind the end or in a curve is not in what is written."""
  hidden = jpeg()[:2000]
  if where == "end":
    profile = SRGB + hidden
  elif where == "curve":
    profile = with_tag(SRGB, b"rTRC", b"curv\0\0\0\0" + struct.pack(">I", len(hidden) // 2) + hidden)
  else:
    profile = with_tag(SRGB, b"FACE" if where == "tag" else b"cprt", b"text\0\0\0\0" + hidden)
  Image.fromarray(RGB).save(tmp_path / "in.png", icc_profile=profile)
  contents = image_contents.read(tmp_path / "in.png")
  assert hidden not in contents.profile and hidden[200:240] not in contents.profile
  assert bool(contents.profile) == (where != "curve")


@pytest.mark.parametrize("damage", [b"", b"no profile", SRGB[:140], SRGB[:300], SRGB[:36] + b"none" + SRGB[40:]])
def test_damaged_profile_is_unusable(damage):
  """What is no profile, or only a part of one, raises the reader's own error."""
  with pytest.raises(icc.Unusable):
    icc.rebuilt(damage)


def test_profile_with_tables_becomes_srgb(tmp_path):
  """Colours whose profile cannot be made anew are converted, and a note says so."""
  profile = with_tag(SRGB, b"A2B9", b"x").replace(b"A2B9", b"A2B0")
  Image.fromarray(RGB).save(tmp_path / "in.png", icc_profile=profile)
  contents = image_contents.read(tmp_path / "in.png")
  assert not contents.profile
  if contents.convert:
    assert np.abs(icc.to_srgb(RGB, contents.convert).astype(int) - RGB).max() <= 2
  assert "colour profile was left out" in contents.notes[-1]


def test_losses_of_a_picture_are_named(tmp_path):
  """Transparency, 16 bits, CMYK and further pages are a note each; what loses nothing has none."""
  alpha = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
  Image.fromarray(alpha).save(tmp_path / "opaque.png")
  alpha[:5, :5, 3] = 0
  Image.fromarray(alpha).save(tmp_path / "alpha.png")
  Image.fromarray(RGB[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
  Image.fromarray(RGB).convert("CMYK").save(tmp_path / "print.jpg")
  Image.fromarray(RGB).save(tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(RGB)] * 2)
  notes = {path.name: image_contents.read(path).notes for path in tmp_path.iterdir()}
  assert notes == {
    "opaque.png": [],
    "alpha.png": ["what is transparent was laid on white"],
    "deep.png": ["16 bits a channel became 8"],
    "print.jpg": ["its CMYK colours became RGB"],
    "pages.tif": ["2 further pages or frames were left out"],
  }
