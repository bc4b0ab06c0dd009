import sys

import fabricated_tfds
import numpy as np
import pytest

from qm_vae import types
from qm_vae.data import DATASETS, celeb_a, lfw, tfds_source
from qm_vae.errors import InputError


def test_tfds_source_celeb(tmp_path):
  """Celeb a."""
  fabricated_tfds.prepare("celeb_a", tmp_path)
  source = celeb_a.make(data_dir=str(tmp_path))
  assert len(source) == 4 and source.classes == ()
  values = []
  for i in range(4):
    record = source[i]
    assert record.image.shape == (218, 178, 3) and record.label == types.UNKNOWN
    value = int(record.image[0, 0, 0]) - 10
    assert source.identities[record.identity] == str(7 + value // 2)
    values.append([1 if value == 3 else -1, 1 if value % 2 == 0 else -1])
  assert source.attributes == ("Bald", "Young")
  assert source.attribute_values.dtype == np.int8
  np.testing.assert_array_equal(source.attribute_values, values)


def test_tfds_source_celeb_before_identities(tmp_path):
  """Celeb a before identities."""
  fabricated_tfds.prepare("celeb_a", tmp_path, identity=False)
  source = celeb_a.make(data_dir=str(tmp_path))
  assert source.identities == () and source[0].identity == types.UNKNOWN


def test_tfds_source_newest_version_counts(tmp_path):
  """The newest version counts."""
  fabricated_tfds.prepare("celeb_a", tmp_path, identity=False)
  fabricated_tfds.prepare("celeb_a", tmp_path)
  assert celeb_a.make(data_dir=str(tmp_path)).identities


def test_tfds_source_lfw(tmp_path):
  """Lfw."""
  fabricated_tfds.prepare("lfw", tmp_path)
  source = lfw.make(data_dir=str(tmp_path))
  assert source.identities == ("Ann", "Bob", "Zoë")
  for i in range(4):
    record = source[i]
    assert record.image.shape == (250, 250, 3)
    assert source.identities[record.identity] == fabricated_tfds.PEOPLE[int(record.image[0, 0, 0]) - 10]


def test_tfds_source_part_split(tmp_path):
  """Part of a split."""
  fabricated_tfds.prepare("lfw", tmp_path)
  whole = lfw.make(data_dir=str(tmp_path))
  part = lfw.make(data_dir=str(tmp_path), split="train[1:3]")
  assert len(part) == 2 and part.fingerprint != whole.fingerprint
  np.testing.assert_array_equal(part[0].image, whole[1].image)
  with pytest.raises(ValueError, match=r"no split 'test'; choose one of train"):
    lfw.make(data_dir=str(tmp_path), split="test")


def test_tfds_source_no_tensorflow(tmp_path):
  """No tensorflow."""
  before = "tensorflow" in sys.modules
  fabricated_tfds.prepare("lfw", tmp_path)
  assert lfw.make(data_dir=str(tmp_path))[0].image.any()
  assert ("tensorflow" in sys.modules) == before


def test_tfds_source_other_file_format_refused(tmp_path):
  """Other file format is refused."""
  fabricated_tfds.prepare("lfw", tmp_path)
  info = next(tmp_path.glob("lfw/*/dataset_info.json"))
  info.write_text(info.read_text().replace("array_record", "tfrecord"))
  with pytest.raises(ValueError, match=r"stored as tfrecord.*--file_format=array_record"):
    lfw.make(data_dir=str(tmp_path))


@pytest.mark.parametrize("module", [celeb_a, lfw])
def test_tfds_source_not_prepared(module, tmp_path):
  """Not prepared."""
  with pytest.raises(InputError) as error:
    module.make(data_dir=str(tmp_path))
  message = str(error.value)
  assert str(tmp_path / "downloads" / "manual") in message
  assert "--file_format=array_record" in message and "download=True" in message
  assert ("celeba_folder" in message) == (module is celeb_a)
  for name in ("img_align_celeba.zip", "list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt"):
    assert (name in message) == (module is celeb_a)
  assert not any(tmp_path.iterdir())


def test_tfds_source_failed_preparation_tells_manual_way(tmp_path, monkeypatch):
  """Failed preparation tells the manual way."""

  class Refused:
    def download_and_prepare(self):
      raise ConnectionError("quota exceeded")

  monkeypatch.setattr("tensorflow_datasets.builder", lambda *args, **kwargs: Refused())
  with pytest.raises(InputError, match=r"quota exceeded(.|\n)*img_align_celeba.zip(.|\n)*celeba_folder"):
    celeb_a.make(data_dir=str(tmp_path), download=True)


def test_tfds_source_without_its_package(tmp_path, monkeypatch):
  """Other datasets are listed and read without tensorflow-datasets; its own say what is missing."""
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
  assert DATASETS["celeb_a"] and DATASETS["lfw"] and DATASETS["celeba_folder"]
  with pytest.raises(InputError, match="pip install tensorflow-datasets"):
    tfds_source.prepared("celeb_a", str(tmp_path), True, "files")
