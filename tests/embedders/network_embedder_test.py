"""The embedder in the graph, and the same on the host."""

import shutil

import jax
import numpy as np
import pytest

from qm_vae import embedders
from qm_vae.embedders import network
from qm_vae.io import networks
from qm_vae.types import Embedder

OPTIONS = {"embedding_size": 8, "widths": [4, 8]}
META = network.describe("small", (16, 16), (5, 6, 11, 6), options=OPTIONS)
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 20, 24, 3), np.uint8)
EYES = np.random.default_rng(1).uniform((5, 6, 14, 6), (8, 9, 17, 9), (7, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("networks") / "little"
  variables = network.network(META).init(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))
  networks.save(folder, META, variables)
  return folder


@pytest.fixture(scope="module")
def loaded(folder):
  return embedders.EMBEDDERS["network"](folder)


def test_network_embedder_contract(loaded):
  """Contract."""
  assert isinstance(loaded, Embedder) and loaded.name == "little"
  assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(loaded.params))
  image, apply = IMAGES.astype(np.float32) / 255, jax.jit(loaded.apply)
  found = apply(loaded.params, image, EYES)
  assert found.shape == (7, 8) and found.dtype == np.float32
  np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-6)  # float32
  np.testing.assert_allclose(apply(loaded.params, image[0], EYES[0]), found[0], atol=1e-5)
  folded = apply(loaded.params, image[:6].reshape(2, 3, 20, 24, 3), EYES[:6].reshape(2, 3, 4))
  np.testing.assert_allclose(folded.reshape(6, 8), found[:6], atol=1e-5)
  assert apply(loaded.params, image[:0], EYES[:0]).shape == (0, 8)
  gradient = jax.grad(lambda image: apply(loaded.params, image, EYES)[:, 0].sum())(image)
  assert np.isfinite(gradient).all() and (np.abs(gradient).sum((1, 2, 3)) > 0).all()


def test_network_embedder_sees_aligned_normalised_face():
  """The network sees the aligned and normalised face."""
  meta = META | {"normalisation": {"mean": 100.0, "scale": 50.0}}
  image = np.zeros((1, 20, 24, 3), np.float32)
  image[0, 4:12, 8:10] = [1, 0.5, 0]  # a bar around the left eye, at (9, 8)
  seen = network.preprocess(image, np.array([[9, 8, 15, 8]], np.float32), meta)
  np.testing.assert_allclose(seen[0, 5, 4], [3.1, 0.55, -2], atol=1e-5)  # left of (5, 6), where the eye should be
  np.testing.assert_allclose(seen[0, 5, 8], -2, atol=1e-5)


def test_network_embedder_zeros_gradient():
  """Zeros have a gradient."""
  gradient = jax.grad(lambda x: network.normalise(x).sum())(np.zeros(3, np.float32))
  assert np.isfinite(gradient).all() and (network.normalise(np.zeros(3)) == 0).all()


def test_network_embedder_host_padded_batches_one_program(loaded):
  """On host in padded batches of one program."""
  traced = []
  watched = loaded._replace(apply=lambda *args: traced.append(1) or loaded.apply(*args))
  host = embedders.on_host(watched, batch_size=4)
  expected = jax.jit(loaded.apply)(loaded.params, IMAGES.astype(np.float32) / 255, EYES)
  for count in (7, 4, 1, 0):
    found = host(IMAGES[:count], EYES[:count])
    assert isinstance(found, np.ndarray) and found.shape == (count, 8) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected[:count], atol=1e-5)
  assert len(traced) == 1


def test_network_embedder_host_refuses_other_arrays(loaded):
  """On host refuses other arrays."""
  host = embedders.on_host(loaded)
  for image, eyes in ((IMAGES / 255, EYES), (IMAGES[0], EYES), (IMAGES, EYES[:3]), (IMAGES[..., :1], EYES)):
    with pytest.raises(ValueError, match=r"expected uint8 \[N, H, W, 3\]"):
      host(image, eyes)


def test_network_embedder_other_folders_refused(folder, tmp_path):
  """Other folders are refused."""
  meta, variables = networks.load(folder)
  networks.save(tmp_path / "other", meta | {"kind": "expression"}, variables)
  with pytest.raises(ValueError, match=r"other/network.json holds a network of kind 'expression', not 'embedder'"):
    network.load(tmp_path / "other")
  networks.save(tmp_path / "wide", meta | {"options": OPTIONS | {"embedding_size": 9}}, variables)
  with pytest.raises(ValueError, match=r"wide/network.json .* \d+ arrays do not fit.*\(8,\); expected \(9,\)"):
    network.load(tmp_path / "wide")
  with pytest.raises(KeyError, match=r"no embedder network is called 'huge'; choose one of mobilefacenet, small"):
    network.describe("huge", (16, 16), (5, 6, 11, 6))


def test_network_embedder_open_embedder(folder, loaded, tmp_path):
  """Open embedder."""
  name, host, *_ = embedders.open_embedder(folder)
  assert name == "little"
  np.testing.assert_allclose(host(IMAGES, EYES), embedders.on_host(loaded)(IMAGES, EYES), atol=1e-6)
  (tmp_path / "net.h5").write_bytes(b"")
  for path in (tmp_path / "net.h5", tmp_path / "absent.onnx"):
    with pytest.raises(ValueError, match=rf"{path.name} is no embedder; give the folder .*\.onnx"):
      embedders.open_embedder(path)
  with pytest.raises(ValueError, match=r"network\.json is missing"):
    embedders.open_embedder(tmp_path)


@pytest.mark.parametrize(("name", "shown"), [("network", "small"), ("0123456789abcdef", "small"), ("mine", "mine")])
def test_network_embedder_folder_named_by_nobody_goes_by_architecture(folder, tmp_path, name, shown):
  """A run's folder and one named by a digest say nothing; the report shows what the network is."""
  shutil.copytree(folder, tmp_path / name)
  assert embedders.open_embedder(tmp_path / name).name == shown
