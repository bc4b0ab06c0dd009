import time
import warnings

import numpy as np
import pytest

from qm_vae import types
from qm_vae.faces import cache, cropping, source_crops

SETTINGS = cropping.Settings(image_size=16, detector="none")


class Counted:
  """A source that counts how often it is read; every fifth record cannot be."""

  classes, identities = ("happy", "sad"), ("Ann", "Бори́с", "李")

  def __init__(self, count=12, fingerprint="first"):
    self.count, self.fingerprint, self.reads = count, fingerprint, 0

  def __len__(self):
    return self.count

  def __getitem__(self, index):
    self.reads += 1
    if index % 5 == 4:
      raise types.UnreadableImage(f"ü {index}.png", "the image is truncated")
    image = np.random.default_rng(index).integers(0, 256, (24, 24, 3), np.uint8)
    return types.Record(image, f"ü {index}.png", index % 3, index % 2)


def _assert_equal(one, other):
  for field in types.FaceSet.__dataclass_fields__:
    left, right = getattr(one, field), getattr(other, field)
    if isinstance(left, np.ndarray):
      assert left.dtype == right.dtype, field
      np.testing.assert_array_equal(left, right, err_msg=field)
    else:
      assert left == right and type(left) is type(right), field


def _load(source, directory, settings=SETTINGS, limit=0):
  return cache.load_or_crop(source, settings, directory, limit, show=False)


def test_face_cache_second_run_reads_no_image(tmp_path):
  """Second run reads no image."""
  source = Counted()
  first = _load(source, tmp_path / "made" / "when absent")
  reads = source.reads
  second = _load(source, tmp_path / "made" / "when absent")
  assert reads == 12 and source.reads == reads
  assert len(first) == 10 and isinstance(second.missed[0], types.Missed)
  _assert_equal(first, second)
  _assert_equal(first, source_crops.crop_source(source, SETTINGS, show=False))
  assert len(list((tmp_path / "made" / "when absent").iterdir())) == 1


def test_face_cache_empty_set(tmp_path):
  """Empty set."""
  first = _load(Counted(0), tmp_path)
  _assert_equal(first, _load(Counted(0), tmp_path))


def test_face_cache_limit(tmp_path):
  """Limit."""
  source = Counted()
  found = _load(source, tmp_path, limit=6)
  assert source.reads == 6 and found.index.tolist() == [0, 1, 2, 3, 5] and len(found.missed) == 1
  assert len(_load(source, tmp_path, limit=100)) == 10
  with pytest.raises(ValueError, match="limit is -1"):
    _load(source, tmp_path, limit=-1)


def test_face_cache_key(tmp_path):
  """Key."""
  source = Counted()
  paths = {
    cache.cache_path(source, SETTINGS._replace(**change), tmp_path)
    for change in (
      {},
      {"image_size": 32},
      {"detector": "haar"},
      {"margin": 0.2},
      {"scale_factor": 1.2},
      {"min_neighbors": 3},
      {"min_size": 10},
      {"eyes": "average"},
    )
  }
  paths.add(cache.cache_path(source, SETTINGS, tmp_path, limit=3))
  paths.add(cache.cache_path(Counted(fingerprint="second"), SETTINGS, tmp_path))
  assert len(paths) == 10
  assert cache.cache_path(Counted(), SETTINGS, tmp_path) in paths


def test_face_cache_damage_named_rebuilt(tmp_path):
  """Damage is named and rebuilt."""
  source = Counted()
  first = _load(source, tmp_path)
  path = cache.cache_path(source, SETTINGS, tmp_path)
  whole = path.read_bytes()
  for damaged in (b"", b"no archive", whole[:100], whole[:-40], whole[: len(whole) // 2]):
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=f"{path.name} is damaged"):
      _assert_equal(_load(source, tmp_path), first)
    assert path.read_bytes() == whole


def test_face_cache_no_flipped_byte_gives_other(tmp_path):
  """No flipped byte gives other faces."""
  source = Counted(3)
  first = _load(source, tmp_path)
  path = cache.cache_path(source, SETTINGS, tmp_path)
  whole = np.frombuffer(path.read_bytes(), np.uint8)
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    for place in np.random.default_rng(0).choice(len(whole), 40, replace=False):
      damaged = whole.copy()
      damaged[place] ^= 0xFF
      path.write_bytes(damaged.tobytes())
      _assert_equal(_load(source, tmp_path), first)


def test_face_cache_failed_write_leaves_nothing(tmp_path, monkeypatch):
  """Failed write leaves nothing."""

  def full(*args, **kwargs):
    raise OSError("no space left")

  monkeypatch.setattr(np, "savez", full)
  with pytest.raises(OSError, match="no space left"):
    _load(Counted(), tmp_path)
  assert not list(tmp_path.iterdir())


def test_face_cache_few_thousand_faces_load_two(tmp_path):
  """A few thousand faces load in two seconds."""
  num = 4000
  faces_64 = types.FaceSet(
    image=np.zeros((num, 64, 64, 3), np.uint8),
    mask=np.ones((num, 64, 64, 1), np.uint8),
    eyes=np.zeros((num, 4), np.float32),
    box=np.zeros((num, 3), np.float32),
    identity=np.zeros(num, np.int32),
    label=np.zeros(num, np.int32),
    index=np.arange(num, dtype=np.int32),
    name=tuple(f"{i:06d}.jpg" for i in range(num)),
    classes=(),
    identities=("0",),
    missed=(),
  )
  path = tmp_path / "faces.npz"
  cache._write(path, faces_64)
  start = time.process_time()
  _assert_equal(cache._read(path), faces_64)
  assert time.process_time() - start < 2
