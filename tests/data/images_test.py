import base64
import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from qm_vae import types
from qm_vae.io import images

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def _saved(image, suffix=".png", **options):
  file = io.BytesIO()
  image.save(file, {".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".tif": "TIFF"}[suffix], **options)
  file.seek(0)
  return file


def test_images_rgb_exact(tmp_path):
  """Rgb is exact."""
  Image.fromarray(RGB).save(tmp_path / "ä 写 x.png")
  image = images.read_image(tmp_path / "ä 写 x.png")
  assert image.dtype == np.uint8 and image.flags.writeable
  np.testing.assert_array_equal(image, RGB)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_images_sixteen_bits_scaled(suffix):
  """Sixteen bits are scaled."""
  values = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
  image = images.read_image(_saved(Image.fromarray(values), suffix))
  np.testing.assert_array_equal(image[..., 0], np.rint(values / 257))
  np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_images_greyscale_palette_one_bit():
  """Greyscale palette and one bit."""
  grey = Image.fromarray(RGB[..., 0])
  np.testing.assert_array_equal(images.read_image(_saved(grey)), np.repeat(RGB[..., :1], 3, axis=2))
  palette = Image.fromarray(RGB).quantize(16)
  np.testing.assert_array_equal(images.read_image(_saved(palette)), np.array(palette.convert("RGB")))
  assert set(np.unique(images.read_image(_saved(grey.convert("1"))))) <= {0, 255}


def test_images_transparent_white():
  """Transparent is white."""
  alpha = np.dstack([RGB, np.where(np.arange(8) < 4, 0, 255) * np.ones((6, 1))]).astype(np.uint8)
  image = images.read_image(_saved(Image.fromarray(alpha)))
  assert (image[:, :4] == 255).all()
  np.testing.assert_array_equal(image[:, 4:], RGB[:, 4:])


def test_images_cmyk_jpeg():
  """Cmyk jpeg."""
  image = images.read_image(_saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), ".jpg"))
  # Cyan 0, magenta and yellow full: red; JPEG at quality 75 keeps a flat colour within 2 levels.
  assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 2


def test_images_animated_gif_gives_first_frame():
  """Animated gif gives its first frame."""
  frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
  image = images.read_image(_saved(frames[0], ".gif", save_all=True, append_images=frames[1:]))
  assert image.shape == (7, 9, 3) and (image == (255, 0, 0)).all()


def test_images_orientation():
  """Orientation."""
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned by 90 degrees clockwise
  image = images.read_image(_saved(Image.fromarray(RGB), exif=exif))
  np.testing.assert_array_equal(image, np.rot90(RGB, -1))


def _reason(file, name="x"):
  with pytest.raises(types.UnreadableImage) as error:
    images.read_image(file, name)
  assert error.value.name == name
  return error.value.reason


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_images_truncated(suffix, share):
  """Truncated."""
  noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
  whole = _saved(noise, suffix).getvalue()
  assert _reason(io.BytesIO(whole[: int(len(whole) * share)])) == "the image is truncated"


def test_images_reasons(tmp_path, monkeypatch):
  """Reasons."""
  (tmp_path / "empty.png").touch()
  (tmp_path / "text.png").write_text("these are words\n")
  assert _reason(tmp_path / "empty.png") == "the file is empty"
  assert _reason(io.BytesIO()) == "the file is empty"
  assert _reason(tmp_path / "text.png") == "not an image, or of an unknown format"
  assert "no such file" in _reason(tmp_path / "absent.png")
  assert "directory" in _reason(tmp_path)
  assert "32-bit" in _reason(_saved(Image.fromarray(np.ones((3, 3), np.float32)), ".tif"))
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
  assert "bomb" in _reason(_saved(Image.fromarray(RGB)))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_images_any_damage_unreadable_image():
  """Any damage is an unreadable image."""
  rng = np.random.default_rng(2)
  refused = 0
  for suffix in (".jpg", ".png", ".gif", ".tif"):
    whole = np.frombuffer(_saved(Image.fromarray(RGB), suffix).getvalue(), np.uint8)
    for _ in range(60):
      damaged = whole.copy()
      damaged[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
      try:
        assert images.read_image(io.BytesIO(damaged.tobytes()), "x").dtype == np.uint8
      except types.UnreadableImage as error:
        assert error.name == "x" and error.reason
        refused += 1
  assert refused > 60


def test_images_name_defaults_path(tmp_path):
  """Name defaults to the path."""
  with pytest.raises(types.UnreadableImage) as error:
    images.read_image(tmp_path / "absent.png")
  assert error.value.name == str(tmp_path / "absent.png")


def _jpeg(value=77, size=(48, 32)):
  file = io.BytesIO()
  Image.new("RGB", size, (value, 20, 200)).save(file, "JPEG", quality=60)
  return file.getvalue()


def _with_thumbnail(path, thumbnail):
  """A JPEG whose EXIF block has words, a place, a maker's note and, as second directory, a thumbnail."""
  words = Image.Exif()
  words[0x010F], words[0x0112], words[0x0131], words[0x9C9B] = "Camera", 1, "Firmware", "Titel".encode("utf-16-le")
  words[0x0201], words[0x8649] = 7, thumbnail
  words[0x8769] = {0x9003: "2020:01:02 03:04:05", 0x829A: 0.01, 0x927C: thumbnail, 0x9286: thumbnail * 4}
  words[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}
  block = words.tobytes()[6:]
  order = "<" if block[:2] == b"II" else ">"
  first = struct.unpack(order + "I", block[4:8])[0]
  count = struct.unpack(order + "H", block[first : first + 2])[0]
  link, second = first + 2 + 12 * count, len(block)
  entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, second + 2 + 36 + 4), (0x0202, 4, 1, len(thumbnail))]
  made = struct.pack(order + "H", 3)
  for tag, kind, number, value in entries:
    made += struct.pack(order + "HHI", tag, kind, number)
    made += struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
  block = block[:link] + struct.pack(order + "I", second) + block[link + 4 :] + made + bytes(4) + thumbnail
  Image.fromarray(RGB).save(path, exif=b"Exif\0\0" + block)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_images_words_taken_over_no_small(suffix, tmp_path):
  """Words are taken over and no small picture."""
  thumbnail = _jpeg()
  _with_thumbnail(tmp_path / "in.jpg", thumbnail)
  with Image.open(tmp_path / "in.jpg") as image:
    assert image.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(thumbnail)
  assert thumbnail in (tmp_path / "in.jpg").read_bytes()
  target = tmp_path / f"out{suffix}"
  images.write_image(target, RGB, like=tmp_path / "in.jpg", words=True)
  assert thumbnail[20:60] not in target.read_bytes()
  with Image.open(target) as image:
    exif = image.getexif()
    assert (exif[0x010F], exif[0x0131]) == ("Camera", "Firmware") and exif[0x9C9B].decode("utf-16-le") == "Titel"
    assert not {0x0112, 0x0201, 0x8649} & set(exif)
    assert dict(exif.get_ifd(0x8769)) == {0x9003: "2020:01:02 03:04:05", 0x829A: 0.01}
    assert exif.get_ifd(0x8825) == {1: "N", 2: (48.0, 8.0, 14.0)} and not exif.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_images_resources_xmp_tiff_stay_behind(suffix, tmp_path):
  """The image resources and xmp of a tiff stay behind."""
  thumbnail = _jpeg()
  resource = b"8BIM" + struct.pack(">HHI", 0x040C, 0, 28 + len(thumbnail)) + bytes(28) + thumbnail
  xmp = b"<x:xmpmeta><xmp:Thumbnails>" + base64.b64encode(thumbnail) + b"</xmp:Thumbnails></x:xmpmeta>"
  words = TiffImagePlugin.ImageFileDirectory_v2()
  words[0x010F], words[0x8649], words[700] = "Camera", resource, xmp
  words.tagtype[0x8649], words.tagtype[700] = 7, 1
  Image.fromarray(RGB).save(tmp_path / "in.tif", tiffinfo=words)
  original = (tmp_path / "in.tif").read_bytes()
  assert resource in original and xmp in original
  target = tmp_path / f"out{suffix}"
  images.write_image(target, RGB, like=tmp_path / "in.tif", words=True)
  written = target.read_bytes()
  assert thumbnail[20:60] not in written and xmp[40:80] not in written and b"8BIM" not in written
  with Image.open(target) as image:
    assert image.getexif()[0x010F] == "Camera"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png", ".webp"])
def test_images_words_any_tiff_leave_picture(mode, suffix, tmp_path):
  """The words of any tiff leave a picture that can be read."""
  original = Image.new(mode, (8, 6)) if mode in ("LA", "I;16") else Image.fromarray(RGB).convert(mode)
  original.save(tmp_path / "in.tif", dpi=(72, 72), compression="tiff_lzw", description="Words")
  target = tmp_path / f"out{suffix}"
  images.write_image(target, RGB, like=tmp_path / "in.tif", words=True)
  # JPEG and WebP change noise, and WebP in a picture as small as this one much.
  assert np.abs(images.read_image(target).astype(int) - RGB).mean() < (1 if suffix in (".tif", ".png") else 60)
  with Image.open(target) as image:
    assert image.getexif()[0x010E] == "Words" and image.getexif()[0x011A] == 72


def test_images_file_cannot_read_again_error(tmp_path, monkeypatch):
  """A file that cannot be read again is an error."""
  Image.fromarray(RGB).save(tmp_path / "in.png")
  real = Image.Image.save

  def torn(self, path, *others, **options):
    real(self, path, *others, **options)
    path.write_bytes(path.read_bytes()[:60])

  monkeypatch.setattr(Image.Image, "save", torn)
  with pytest.raises(ValueError, match="cannot be read"):
    images.write_image(tmp_path / "out.png", RGB, like=tmp_path / "in.png")
