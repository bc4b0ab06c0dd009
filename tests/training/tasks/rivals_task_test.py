"""The tasks that train the rivals: what moves, what stays, and how the terms add up."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qm_vae.data.augment import Augmentation
from qm_vae.models import amt_gan as amt_gan_models
from qm_vae.models import ugatit as ugatit_models
from qm_vae.training.tasks import amt_gan, ugatit
from qm_vae.types import Embedder

SIZE = 32
KEY = jax.random.key(0)


def batch(num=2, seed=0):
  random = np.random.default_rng(seed)
  eyes = np.tile(np.float32([11, 13, 21, 13]), (num, 1))
  pictures = {n: random.integers(0, 256, (num, SIZE, SIZE, 3), np.uint8) for n in ("image", "other_image")}
  return pictures | {"eyes": eyes, "other_eyes": eyes, "_mask": np.ones(num, np.float32)}


def moved(before, after):
  return {
    jax.tree_util.keystr(path)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True)
    if not np.array_equal(a, b)
  }


@pytest.mark.slow
def test_rivals_ugatit_trains_every_network_keeps():
  """Ugatit trains every network and keeps an average."""
  discriminators = ugatit_models.Discriminator(4, 4), ugatit_models.Discriminator(3, 4)
  networks = ugatit.Networks(ugatit_models.Generator(channels=4, blocks=1), *discriminators)
  task = ugatit.make(networks, optax.adam(1e-2, b1=0.5), augmentation=Augmentation(flip=0.5), average=0.9)
  weights = ugatit.LossWeights(*map(jnp.float32, (1.0, 10.0, 10.0, 1000.0)))
  start = jax.jit(task.init)(KEY, (), batch())
  step = jax.jit(task.step)
  state, first = step(start, (), batch(), weights, KEY)
  for name, term in weights._asdict().items():
    assert first[name].shape == (2,), (name, term)
  expected = first["adversarial"] + 10 * (first["cycle"] + first["identity"]) + 1000 * first["cam"]
  np.testing.assert_allclose(first["loss"], expected, rtol=1e-5)
  judged = sum(first[name] for name in ugatit.DISCRIMINATORS)
  np.testing.assert_allclose(first["discriminators"], judged, rtol=1e-6)
  assert moved(start.params, state.params) == moved(start.params, jax.tree.map(lambda x: x + 1, start.params))
  # The average's first step keeps (1 + 0) / (10 + 0) of the start.
  jax.tree.map(
    lambda kept, a, b: np.testing.assert_allclose(kept, 0.1 * a + 0.9 * b, atol=1e-6),
    state.model_state["average"],
    start.params["generators"],
    state.params["generators"],
  )
  for i in range(30):
    state, terms = step(state, (), batch(), weights, jax.random.fold_in(KEY, i))
  assert float(terms["cam"].mean()) < float(first["cam"].mean())
  rhos = [x for path, x in jax.tree_util.tree_leaves_with_path(state.params["generators"]) if path[-1].key == "rho"]
  assert len(rhos) == 8 and all(float(x.min()) >= 0 and float(x.max()) <= 1 for x in rhos)
  assert sorted(jax.jit(task.evaluate)(state, (), batch(), KEY)) == ["adversarial", "cam", "cycle", "identity"]
  picture = jax.jit(task.pictures)(state, (), batch(), KEY)
  assert picture.shape == (2 * SIZE, 8 * SIZE, 3) and float(picture.min()) >= 0 and float(picture.max()) <= 1
  assert ugatit.export(state)["params"].keys() == start.params["generators"]["genA2B"].keys()


def _linear(params, image, eyes):
  """A recogniser: 4 x 4 mean colours times a matrix."""
  pooled = image.reshape(-1, 4, SIZE // 4, 4, SIZE // 4, 3).mean((2, 4)).reshape(-1, 48) @ params
  return pooled / jnp.linalg.norm(pooled, axis=-1, keepdims=True)


def _amt_gan():
  projection = np.random.default_rng(1).standard_normal((48, 6)).astype(np.float32)
  frozen = {"embedders": (projection,), "target": (np.float32([1, 0, 0, 0, 0, 0]),)}
  networks = amt_gan.Networks(
    amt_gan_models.Generator(2), amt_gan_models.Regularizer(1, 2), amt_gan_models.Discriminator(channels=2)
  )
  embedder = Embedder(projection, _linear, "linear")
  diversity = Augmentation(shift=0.05, noise=0.05)
  return amt_gan.make(networks, [embedder], optax.adam(5e-3, b1=0.5), diversity=diversity, draws=2), frozen


@pytest.mark.slow  # tracing alone takes more than ten seconds
def test_rivals_amt_gan_keeps_state_form():
  """Amt gan keeps its state in form."""
  task, frozen = _amt_gan()
  start = jax.eval_shape(task.init, KEY, frozen, batch())
  weights = amt_gan.LossWeights(*map(np.float32, (10.0, 10.0, 2.0, 5.0, 5.0)))
  state, terms = jax.eval_shape(task.step, start, frozen, batch(), weights, KEY)
  same = lambda a, b: a.shape == b.shape and a.dtype == b.dtype
  assert all(jax.tree.leaves(jax.tree.map(same, start, state)))
  assert all(term.shape == (2,) for term in terms.values())
  assert terms.keys() >= {"loss", "D_A", "D_B", *weights._fields, *(f"regularizer/{n}" for n in weights._fields)}


@pytest.mark.slow
def test_rivals_amt_gan_trains_every_network():
  """Amt gan trains every network and no recogniser."""
  task, frozen = _amt_gan()
  projection = frozen["embedders"][0].copy()
  weights = amt_gan.LossWeights(*map(jnp.float32, (10.0, 10.0, 2.0, 5.0, 50.0)))
  start = jax.jit(task.init)(KEY, frozen, batch())
  step = jax.jit(task.step)
  state, first = step(start, frozen, batch(), weights, KEY)
  expected = 10 * (first["gan"] + first["cycle"]) + 2 * first["makeup"] + 5 * first["identity"] + 50 * first["attack"]
  np.testing.assert_allclose(first["loss"], expected, rtol=1e-5)
  still = {name for name in moved(start.params, jax.tree.map(lambda x: x + 1, start.params))}
  still -= moved(start.params, state.params)
  assert still == {f"['G']['atten_bottleneck_{n}.g']['{leaf}']" for n in ("g", "b") for leaf in ("kernel", "bias")}
  before = float(jax.jit(task.evaluate)(start, frozen, batch(), KEY)["like_target"].mean())
  for i in range(40):
    state, _ = step(state, frozen, batch(), weights, jax.random.fold_in(KEY, i))
  message = jax.jit(task.evaluate)(state, frozen, batch(), KEY)
  assert float(message["like_target"].mean()) > before + 0.05
  np.testing.assert_array_equal(frozen["embedders"][0], projection)
  picture = jax.jit(task.pictures)(state, frozen, batch(), KEY)
  assert picture.shape == (2 * SIZE, 6 * SIZE, 3)
