"""Every dataset keeps the promises of types.Source; a newcomer in the table fails here until it is listed."""

import shutil

import fabricated_tfds
import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import DATASETS


def _draw(path, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((20, 30, 3), value, np.uint8)).save(path)


def _synthetic(path, variant):
  return DATASETS["synthetic"](num_people=2, images_per_person=2, frame_size=32, seed=variant)


def _folder(path, variant):
  for i in range(3):
    _draw(path / f"{i}.png", 50 * i + variant)
  (path / "labels.csv").write_text("image,identity,expression\n2.png,Ann,happy\n0.png,,\n1.png,Bob,Anger\n")
  return DATASETS["folder"](root=str(path), csv=str(path / "labels.csv"))


def _celeba_folder(path, variant):
  for i in range(3):
    _draw(path / "img_align_celeba" / f"{i:06d}.jpg", 50 * i + variant)
  (path / "identity_CelebA.txt").write_text("000000.jpg 12\n000001.jpg 3\n")
  return DATASETS["celeba_folder"](root=str(path))


def _fer2013(path, variant):
  images = np.arange(2 * 48 * 48, dtype=np.int64).reshape(2, 48, 48) % 251 + variant
  arrays = {"Training_x": images.astype(np.uint8), "Training_y": np.array([0, 6]), "classes": types.EXPRESSIONS}
  path.mkdir(exist_ok=True)
  np.savez(path / "fer.npz", **arrays)
  return DATASETS["fer2013"](path=str(path / "fer.npz"))


def _prepared(name):
  def make(path, variant):
    shutil.rmtree(path, ignore_errors=True)
    fabricated_tfds.prepare(name, path, first=10 + variant)
    return DATASETS[name](data_dir=str(path))

  return make


MAKERS = {
  "synthetic": _synthetic,
  "folder": _folder,
  "celeb_a": _prepared("celeb_a"),
  "celeba_folder": _celeba_folder,
  "lfw": _prepared("lfw"),
  "fer2013": _fer2013,
}


def test_dataset_every_dataset_tested():
  """Every dataset is tested."""
  assert set(MAKERS) == set(DATASETS.names())


@pytest.mark.parametrize("name", MAKERS)
def test_dataset_contract(name, tmp_path):
  """Contract."""
  source = MAKERS[name](tmp_path / name, 0)
  records = [source[i] for i in range(len(source))]
  assert len(records) >= 2
  assert len({record.name for record in records}) == len(records)
  assert isinstance(source.fingerprint, str) and source.fingerprint
  for record in records:
    assert record.image.dtype == np.uint8 and record.image.ndim == 3 and record.image.shape[2] == 3
    assert isinstance(record.name, str)
    assert type(record.identity) is int and type(record.label) is int
    assert types.UNKNOWN <= record.identity < len(source.identities)
    assert types.UNKNOWN <= record.label < len(source.classes)

  for i in reversed(range(len(source))):
    again = source[i]
    np.testing.assert_array_equal(again.image, records[i].image)
    assert again[1:] == records[i][1:]


@pytest.mark.parametrize("name", MAKERS)
def test_dataset_fingerprint_follows_content(name, tmp_path):
  """Fingerprint follows the content."""
  source = MAKERS[name](tmp_path / name, 0)
  before, image = source.fingerprint, source[0].image
  options = {
    "synthetic": {"num_people": 2, "images_per_person": 2, "frame_size": 32, "seed": 0},
    "folder": {"root": str(tmp_path / name), "csv": str(tmp_path / name / "labels.csv")},
    "celeba_folder": {"root": str(tmp_path / name)},
    "fer2013": {"path": str(tmp_path / name / "fer.npz")},
  }
  assert DATASETS[name](**options.get(name, {"data_dir": str(tmp_path / name)})).fingerprint == before
  changed = MAKERS[name](tmp_path / name, 1)
  assert not np.array_equal(changed[0].image, image)
  assert changed.fingerprint != before
