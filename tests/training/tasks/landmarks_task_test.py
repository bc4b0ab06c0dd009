"""The landmark task: drawn faces, whose landmarks are known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qm_vae import landmarkers
from qm_vae.data import synthetic
from qm_vae.data.augment import Augmentation
from qm_vae.io import networks
from qm_vae.training.tasks import landmarks

META = landmarkers.describe("dense_68", 48)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def batch():
  source = synthetic.make(num_people=8, images_per_person=1, frame_size=64)
  return {
    "image": np.stack([source[i].image for i in range(8)]),
    "landmarks": np.stack([source.landmarks_68(i) for i in range(8)]),
    "_mask": np.ones(8, np.float32),
  }


def test_landmarks_task_learns_exports(batch, tmp_path):
  """Training lowers the error, and the exported network has the error that the task reports."""
  mean = batch["landmarks"].mean(0) / 64
  task = landmarks.make(META, optax.adam(3e-3), augmentation=Augmentation(shift=0.02), mean_shape=mean)
  state = jax.jit(task.init)(KEY, (), batch)
  step, evaluate = jax.jit(task.step), jax.jit(task.evaluate)
  before = float(evaluate(state, (), batch, KEY)["landmark_error"].mean())
  for i in range(30):
    state, terms = step(state, (), batch, (), jax.random.fold_in(KEY, i))
  after = evaluate(state, (), batch, KEY)["landmark_error"]
  assert terms["loss"].shape == after.shape == (8,)
  assert float(after.mean()) < 0.8 * before
  networks.save(tmp_path, META, jax.device_get(landmarks.export(state)))
  landmarker = landmarkers.load(tmp_path)
  module = landmarkers.network(META)
  seen = landmarkers.preprocess(jnp.asarray(batch["image"], jnp.float32) / 255, META)
  found = np.asarray(module.apply(landmarker.params, seen)) * 64
  eyes = [batch["landmarks"][:, part].mean(1) for part in (slice(36, 42), slice(42, 48))]
  apart = np.linalg.norm(eyes[1] - eyes[0], axis=-1)
  expected = np.linalg.norm(found - batch["landmarks"], axis=-1).mean(1) / apart
  np.testing.assert_allclose(after, expected, rtol=1e-3)  # the square root has 1e-6 added, and float32


def test_landmarks_task_padding_trains_nothing(batch):
  """A row outside the mask leaves the step as it was."""
  mean = batch["landmarks"].mean(0) / 64
  task = landmarks.make(META, optax.adam(1e-3), augmentation=Augmentation(), mean_shape=mean)
  state = jax.jit(task.init)(KEY, (), batch)
  mask = np.float32([1] * 7 + [0])
  other = batch["landmarks"].copy()
  other[7] += 5
  step = jax.jit(task.step)
  one, _ = step(state, (), batch | {"_mask": mask}, (), KEY)
  two, _ = step(state, (), batch | {"_mask": mask, "landmarks": other}, (), KEY)
  chex.assert_trees_all_equal(one.params, two.params)
  assert not np.array_equal(one.params["fc"]["bias"], state.params["fc"]["bias"])


def test_moved_landmarks_follow_pixels():
  """The pixel under a landmark before is under it afterwards."""
  rows, columns = np.mgrid[:40, :40].astype(np.float32) + 0.5
  image = jnp.asarray(np.stack([columns, rows, rows], -1))[None].repeat(3, 0)  # each pixel's colour is its place
  points = np.random.default_rng(0).uniform(15, 25, (3, 68, 2)).astype(np.float32)
  changed, after = landmarks.moved(image, points, KEY, Augmentation(shift=0.1, scale=0.2))
  assert np.abs(np.asarray(after) - points).max() > 1
  for i in range(3):
    x, y = np.rint(np.asarray(after[i, 0]) - 0.5).astype(int)
    # Half a pixel of rounding at a scale of at most exp(0.2).
    np.testing.assert_allclose(changed[i, y, x, :2], points[i, 0], atol=0.5 * np.exp(0.2) + 1e-3)


def test_landmarks_task_flip_refused():
  """Mirrored faces have their landmarks in another order."""
  with pytest.raises(ValueError, match=r"augment.flip is 0.5"):
    landmarks.make(META, optax.adam(1e-3), augmentation=Augmentation(flip=0.5), mean_shape=np.zeros((68, 2)))
