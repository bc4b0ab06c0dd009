"""The classifier task on images whose brightness is their label."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qm_vae.data.augment import Augmentation
from qm_vae.io import networks
from qm_vae.services import expression
from qm_vae.training.tasks import classifier

META = expression.describe("resnet", 16, ("dark", "bright"), options={"widths": (4, 8), "dropout": 0.1})
KEY = jax.random.key(0)


def _batch(labels, seed=0):
  labels = np.asarray(labels, np.int32)
  noise = np.random.default_rng(seed).integers(0, 80, (len(labels), 16, 16, 3))
  return {
    "image": (noise + 120 * (labels == 1)[:, None, None, None]).astype(np.uint8),
    "label": labels,
    "_mask": np.ones(len(labels), np.float32),
  }


@pytest.fixture(scope="module")
def task():
  return classifier.make(META, optax.adam(1e-2), augmentation=Augmentation(flip=0.5, noise=0.02), label_smoothing=0.1)


@pytest.fixture(scope="module")
def step(task):
  return jax.jit(task.step)


@pytest.fixture(scope="module")
def start(task):
  return jax.jit(task.init)(KEY, (), _batch([0, 1, 0, 1]))


def test_classifier_learns_counts_exports(task, step, start, tmp_path):
  """Learns counts and exports."""
  state, losses = start, []
  for i in range(25):
    state, terms = step(state, (), _batch([0, 1, 0, 1], seed=i), (), jax.random.fold_in(KEY, i))
    losses.append(float(terms["loss"].mean()))
  assert int(state.step) == 25
  assert np.mean(losses[-5:]) < 0.5 * losses[0]
  # Trained weights, served through the service, classify an unseen batch; training and serving preprocess alike.
  for _ in range(10):  # batch statistics follow
    state, terms = step(state, (), _batch([0, 1, 0, 1], seed=99), (), KEY)
  fresh = _batch([1, 0, 0, 1], seed=1000)
  terms = jax.jit(task.evaluate)(state, (), fresh, KEY)
  np.testing.assert_array_equal(terms["correct"], 1)
  networks.save(tmp_path, META, jax.device_get(classifier.export(state)))
  service = expression.load(tmp_path)
  logits = service.apply(service.params, fresh["image"].astype(np.float32) / 255)
  expected = optax.softmax_cross_entropy_with_integer_labels(logits, fresh["label"])
  # One graph against two: float32 round-off.
  np.testing.assert_allclose(terms["cross_entropy"], expected, atol=1e-5)


def test_classifier_unknown_padded_examples_train_nothing(step, start):
  """Unknown and padded examples train nothing."""
  batch = _batch([0, 1, -1, 1])
  batch["_mask"][3] = 0
  state, terms = step(start, (), batch, (), KEY)
  np.testing.assert_array_equal(terms["labelled"], [1, 1, 0, 1])
  for name in ("loss", "correct", "cross_entropy"):
    assert terms[name].shape == (4,) and terms[name].dtype == jnp.float32
    assert float(terms[name][2]) == 0
  # Another label in a row that does not count leaves the step as it was, bit for bit.
  other, _ = step(start, (), batch | {"label": np.int32([0, 1, -1, 0])}, (), KEY)
  chex.assert_trees_all_equal(state.params, other.params)
  # None at all: the gradient is 0, so Adam stands still.
  nothing, terms = step(start, (), batch | {"label": np.full(4, -1, np.int32)}, (), KEY)
  assert float(jnp.abs(terms["loss"]).sum()) == 0
  chex.assert_trees_all_equal(nothing.params, start.params)


def test_classifier_step_function_key(step, start):
  """The step is a function of its key."""
  batch = _batch([0, 1, 0, 1])
  first, again, other = (step(start, (), batch, (), jax.random.key(i))[0] for i in (1, 1, 2))
  chex.assert_trees_all_equal(first, again)
  differs = jax.tree.map(lambda a, b: bool((a != b).any()), first.params, other.params)
  assert any(jax.tree.leaves(differs))


def test_classifier_smoothed_cross_entropy():
  """Smoothed cross entropy."""
  logits = np.log(np.float32([[0.7, 0.2, 0.1]]))
  expected = -(0.9 * np.log(0.2) + 0.1 / 3 * np.log([0.7, 0.2, 0.1]).sum())
  found = classifier._cross_entropy(jnp.asarray(logits), jnp.array([1]), 3, 0.1)
  np.testing.assert_allclose(found, [expected], rtol=1e-6)
