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


def test_round_trip(folder):
  meta, variables = networks.load(folder)
  assert meta["classes"] == ["a", "b"] and meta["num_params"] == 7
  assert variables.keys() == VARIABLES.keys()
  for group in VARIABLES:
    for name, array in VARIABLES[group]["layer"].items():
      np.testing.assert_array_equal(variables[group]["layer"][name], array)
      assert variables[group]["layer"][name].dtype == array.dtype
  assert sorted(path.name for path in folder.iterdir()) == [networks.ARRAYS, networks.META]


def test_saving_again_replaces_and_keeps_other_files(folder):
  (folder / "notes.txt").write_text("mine")
  networks.save(folder, META, {"params": {"x": np.zeros(3)}})
  meta, variables = networks.load(folder)
  assert meta["num_params"] == 3 and list(variables) == ["params"]
  assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [networks.META, networks.ARRAYS])
def test_missing_file(folder, name):
  (folder / name).unlink()
  with pytest.raises(ValueError, match=rf"{name} is missing; .*qm_vae\.convert"):
    networks.load(folder)


@pytest.mark.parametrize("keep", [0, 10, 100, -5])
@pytest.mark.parametrize("name", [networks.META, networks.ARRAYS])
def test_truncated_file(folder, name, keep):
  path = folder / name
  path.write_bytes(path.read_bytes()[:keep])
  with pytest.raises(ValueError, match=rf"{name} .*qm_vae\.convert"):
    networks.load(folder)


def test_a_flipped_bit_is_noticed(folder):
  path = folder / networks.ARRAYS
  whole = path.read_bytes()
  start = whole.index(np.float32(5).tobytes())  # inside the kernel's data
  path.write_bytes(whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :])
  with pytest.raises(ValueError, match=r"arrays\.npz"):
    networks.load(folder)


def test_arrays_of_another_network(folder, tmp_path):
  networks.save(tmp_path / "other", META, {"params": {"x": np.zeros(3)}})
  (tmp_path / "other" / networks.ARRAYS).replace(folder / networks.ARRAYS)
  with pytest.raises(ValueError, match="SHA-256 differs"):
    networks.load(folder)


def test_description_of_another_shape(folder):
  (folder / networks.META).write_text(json.dumps(["no", "object"]))
  with pytest.raises(ValueError, match=r"network\.json is damaged"):
    networks.load(folder)


def test_pickled_arrays_are_never_read(folder):
  np.savez(folder / "arrays.npz", x=np.array([{"a": 1}], dtype=object))
  with pytest.raises(ValueError, match=r"arrays\.npz is damaged"):
    networks.load(folder)
