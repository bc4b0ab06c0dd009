import io

import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import images

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def _saved(image, suffix=".png", **options):
  file = io.BytesIO()
  image.save(file, {".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".tif": "TIFF"}[suffix], **options)
  file.seek(0)
  return file


def test_rgb_is_exact(tmp_path):
  Image.fromarray(RGB).save(tmp_path / "ä 写 x.png")
  image = images.read_image(tmp_path / "ä 写 x.png")
  assert image.dtype == np.uint8 and image.flags.writeable
  np.testing.assert_array_equal(image, RGB)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled(suffix):
  values = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
  image = images.read_image(_saved(Image.fromarray(values), suffix))
  np.testing.assert_array_equal(image[..., 0], np.rint(values / 257))
  np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_greyscale_palette_and_one_bit():
  grey = Image.fromarray(RGB[..., 0])
  np.testing.assert_array_equal(images.read_image(_saved(grey)), np.repeat(RGB[..., :1], 3, axis=2))
  palette = Image.fromarray(RGB).quantize(16)
  np.testing.assert_array_equal(images.read_image(_saved(palette)), np.array(palette.convert("RGB")))
  assert set(np.unique(images.read_image(_saved(grey.convert("1"))))) <= {0, 255}


def test_transparent_is_white():
  alpha = np.dstack([RGB, np.where(np.arange(8) < 4, 0, 255) * np.ones((6, 1))]).astype(np.uint8)
  image = images.read_image(_saved(Image.fromarray(alpha)))
  assert (image[:, :4] == 255).all()
  np.testing.assert_array_equal(image[:, 4:], RGB[:, 4:])


def test_cmyk_jpeg():
  image = images.read_image(_saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), ".jpg"))
  # Cyan 0, magenta and yellow full: red; JPEG at quality 75 keeps a flat colour within 2 levels.
  assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 2


def test_animated_gif_gives_its_first_frame():
  frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
  image = images.read_image(_saved(frames[0], ".gif", save_all=True, append_images=frames[1:]))
  assert image.shape == (7, 9, 3) and (image == (255, 0, 0)).all()


def test_orientation():
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
def test_truncated(suffix, share):
  noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
  whole = _saved(noise, suffix).getvalue()
  assert _reason(io.BytesIO(whole[: int(len(whole) * share)])) == "the image is truncated"


def test_reasons(tmp_path, monkeypatch):
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
def test_any_damage_is_an_unreadable_image():
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


def test_name_defaults_to_the_path(tmp_path):
  with pytest.raises(types.UnreadableImage) as error:
    images.read_image(tmp_path / "absent.png")
  assert error.value.name == str(tmp_path / "absent.png")
