"""A directory of files as people have them: what can be used is used, the rest is listed with its reason."""

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import folder, synthetic
from qm_vae.faces import cache, cropping

USABLE = {"deep.png", "grey.jpg", "cmyk.jpg", "animated.gif", "two words/Ирина 写真 é.jpg"}
REFUSED = {
  "truncated.jpg": "the image is truncated",
  "text.png": "not an image, or of an unknown format",
  "empty.webp": "the file is empty",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  source = synthetic.make(num_people=10, images_per_person=1, frame_size=128, seed=0)
  pictures = (source[i].image for i in range(10))
  face = next(picture for picture in pictures if len(cropping.detect(picture, cropping.Settings(min_neighbors=8))))
  root = tmp_path_factory.mktemp("odd files")
  image = Image.fromarray(face)
  grey = image.convert("L")
  image.save(root / "truncated.jpg")
  (root / "truncated.jpg").write_bytes((root / "truncated.jpg").read_bytes()[:-500])
  (root / "text.png").write_text("these are words, not an image\n")
  (root / "empty.webp").touch()
  (root / "read me.txt").write_text("not listed: it does not claim to be an image\n")
  Image.new("RGB", (1, 1)).save(root / "tiny.png")
  Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(root / "deep.png")
  grey.save(root / "grey.jpg")
  image.convert("CMYK").save(root / "cmyk.jpg", quality=95)
  image.save(root / "animated.gif", save_all=True, append_images=[Image.new("RGB", image.size)], duration=100)
  (root / "two words").mkdir()
  image.save(root / "two words" / "Ирина 写真 é.jpg", quality=95)
  return root


@pytest.mark.parametrize("detector", ["haar", "none"])
def test_odd_files_files(root, detector, tmp_path):
  """Odd files."""
  source = folder.make(root=str(root))
  settings = cropping.Settings(detector=detector)
  found = cache.load_or_crop(source, settings, tmp_path, show=False)
  assert set(found.name) == USABLE
  missed = {each.name: each.reason for each in found.missed}
  assert missed.pop("tiny.png") == "no face found: the image is 1 x 1 pixels, faces.min_size is 24"
  assert missed == REFUSED
  assert len(found) + len(found.missed) == len(source)
  # All five show one picture, coded with losses (palette, JPEG): they agree within a few grey levels on average.
  brightness = found.image.astype(float).mean(-1)
  boxes_agree = np.ptp(found.box, axis=0).max() == 0
  if detector == "none":
    assert boxes_agree
    assert np.abs(brightness - brightness.mean(0)).mean((1, 2)).max() < 8
  again = cache.load_or_crop(source, settings, tmp_path, show=False)
  assert again.name == found.name and again.missed == found.missed
