"""Frozen networks on disk: what comes back, and what is refused."""

import json

import numpy as np
import pytest

from qm_vae.io import networks

META = {"kind": "expression", "classes": ["a", "b"]}
VARIABLES = {
  "params": {"layer": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.float32([0.5])}},
  "batch_stats": {"layer": {"mean": np.float32([1, 2])}},
}


@pytest.fixture
def folder(tmp_path):
  networks.save(tmp_path / "net", META, VARIABLES)
  return tmp_path / "net"


def test_networks_round_trip(folder):
  """Round trip."""
  meta, variables = networks.load(folder)
  assert meta["classes"] == ["a", "b"] and meta["num_params"] == 7
  assert variables.keys() == VARIABLES.keys()
  for group in VARIABLES:
    for name, array in VARIABLES[group]["layer"].items():
      np.testing.assert_array_equal(variables[group]["layer"][name], array)
      assert variables[group]["layer"][name].dtype == array.dtype
  assert sorted(path.name for path in folder.iterdir()) == [networks.ARRAYS, networks.META]


def test_networks_saving_again_replaces_keeps_other(folder):
  """Saving again replaces and keeps other files."""
  (folder / "notes.txt").write_text("mine")
  networks.save(folder, META, {"params": {"x": np.zeros(3)}})
  meta, variables = networks.load(folder)
  assert meta["num_params"] == 3 and list(variables) == ["params"]
  assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [networks.META, networks.ARRAYS])
def test_networks_missing_file(folder, name):
  """Missing file."""
  (folder / name).unlink()
  with pytest.raises(ValueError, match=rf"{name} is missing; .*qm_vae\.convert"):
    networks.load(folder)


@pytest.mark.parametrize("keep", [0, 10, 100, -5])
@pytest.mark.parametrize("name", [networks.META, networks.ARRAYS])
def test_networks_truncated_file(folder, name, keep):
  """Truncated file."""
  path = folder / name
  path.write_bytes(path.read_bytes()[:keep])
  with pytest.raises(ValueError, match=rf"{name} .*qm_vae\.convert"):
    networks.load(folder)


def test_networks_flipped_bit_noticed(folder):
  """A flipped bit is noticed."""
  path = folder / networks.ARRAYS
  whole = path.read_bytes()
  start = whole.index(np.float32(5).tobytes())  # inside the kernel's data
  path.write_bytes(whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :])
  with pytest.raises(ValueError, match=r"arrays\.npz"):
    networks.load(folder)


def test_networks_arrays_another_network(folder, tmp_path):
  """Arrays of another network."""
  networks.save(tmp_path / "other", META, {"params": {"x": np.zeros(3)}})
  (tmp_path / "other" / networks.ARRAYS).replace(folder / networks.ARRAYS)
  with pytest.raises(ValueError, match="SHA-256 differs"):
    networks.load(folder)


def test_networks_description_another_shape(folder):
  """Description of another shape."""
  (folder / networks.META).write_text(json.dumps(["no", "object"]))
  with pytest.raises(ValueError, match=r"network\.json holds a list"):
    networks.load(folder)


def test_networks_pickled_arrays_never_read(folder):
  """Pickled arrays are never read."""
  np.savez(folder / "arrays.npz", x=np.array([{"a": 1}], dtype=object))
  with pytest.raises(ValueError, match=r"arrays\.npz holds Python objects"):
    networks.load(folder)
