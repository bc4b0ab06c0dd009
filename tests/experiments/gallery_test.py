"""The faces that a run's views average, kept beside its checkpoints."""

import types

import numpy as np
import pytest

from configs import alpha04, private
from qm_vae.experiments import gallery


def test_gallery_is_needed_by_views_that_average():
  """configs/private.py averages faces; the paper's views do not."""
  assert gallery.is_needed(private.get_config())
  assert not gallery.is_needed(alpha04.get_config())


def test_gallery_comes_back_as_it_was_saved(tmp_path):
  """What was saved is loaded bit for bit, and a resumed run leaves it alone."""
  faces = types.SimpleNamespace(
    image=np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8),
    identity=np.int32([4, 4, 7]),
    eyes=np.float32([[1, 2, 5, 2]] * 3),
  )
  gallery.save(tmp_path, faces)
  before = (tmp_path / gallery.FILE).stat().st_mtime_ns
  gallery.save(tmp_path, faces)
  assert (tmp_path / gallery.FILE).stat().st_mtime_ns == before
  found = gallery.load(tmp_path)
  for name in ("image", "identity", "eyes"):
    np.testing.assert_array_equal(getattr(found, name), getattr(faces, name))


def test_gallery_missing_or_damaged_is_named(tmp_path):
  """A gallery that is not there, is cut short, or holds something else is an error with its path."""
  with pytest.raises(ValueError, match=r"gallery\.npz is missing, and a view of the run averages its faces"):
    gallery.load(tmp_path)
  np.savez(tmp_path / gallery.FILE, image=np.zeros((2, 4, 4, 3)), identity=np.zeros(2), eyes=np.zeros((2, 4)))
  with pytest.raises(ValueError, match=r"gallery\.npz holds no gallery"):
    gallery.load(tmp_path)
  whole = (tmp_path / gallery.FILE).read_bytes()
  (tmp_path / gallery.FILE).write_bytes(whole[: len(whole) // 2])
  with pytest.raises(ValueError, match=r"gallery\.npz is damaged"):
    gallery.load(tmp_path)
