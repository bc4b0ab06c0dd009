"""Thin-plate splines against their definition."""

import jax.numpy as jnp
import numpy as np

from qm_vae.faces import warping
from tests.support.landmarks import frontal

SIDE = 48


def test_spline_meets_affine_values():
  """What is affine in x and y is met everywhere, whatever the smoothing."""
  control = jnp.concatenate([jnp.asarray(frontal(SIDE)), warping.anchors(SIDE)])
  affine = lambda x, y: np.stack([2 * x - y + 3, 0.5 * x + y - 1], -1)
  made = warping.spline(control, jnp.asarray(affine(control[:, 0], control[:, 1])), (SIDE, SIDE))
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  np.testing.assert_allclose(made, affine(columns, rows), atol=0.02)  # a float32 system of 83 equations


def test_spline_agrees_with_scipy():
  """At the places where it is evaluated it is SciPy's smoothing thin-plate spline."""
  from scipy.interpolate import RBFInterpolator

  control = np.concatenate([frontal(SIDE), np.asarray(warping.anchors(SIDE))])
  values = control + 2 * np.sin(control / 9)
  made = np.asarray(warping.spline(jnp.asarray(control), jnp.asarray(values, jnp.float32), (SIDE, SIDE)))
  oracle = RBFInterpolator(control / SIDE, values, kernel="thin_plate_spline", smoothing=1e-4)
  # Between its places the spline is taken for linear: compare where it was evaluated, the mean of two pixels.
  places = (np.arange(SIDE // 2) + 0.5) * 2
  columns, rows = np.meshgrid(places, places)
  expected = oracle(np.c_[columns.ravel(), rows.ravel()] / SIDE).reshape(*columns.shape, 2)
  at = lambda a: a.reshape(SIDE // 2, 2, SIDE // 2, 2, 2).mean((1, 3))
  np.testing.assert_allclose(at(made), expected, atol=0.05)  # linear over a few pixels


def test_warp_onto_its_own_landmarks_is_the_image():
  """A target equal to the landmarks moves nothing."""
  random = np.random.default_rng(0)
  image = random.random((SIDE, SIDE, 3)).astype(np.float32)
  made = warping.warp(jnp.asarray(image), jnp.asarray(frontal(SIDE)), jnp.asarray(frontal(SIDE)), (SIDE, SIDE))
  np.testing.assert_allclose(made, image, atol=0.02)  # sub-pixel rounding of the spline on white noise


def test_warp_moves_landmarks_onto_the_target():
  """A mark on the tip of the nose appears where the target has it."""
  points, target = frontal(SIDE), frontal(SIDE)
  target[27:36] += (3, 1)
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  mark = np.exp(-((columns - points[30, 0]) ** 2 + (rows - points[30, 1]) ** 2) / 4)[..., None].astype(np.float32)
  made = np.asarray(warping.warp(jnp.asarray(mark), jnp.asarray(points), jnp.asarray(target), (SIDE, SIDE)))[..., 0]
  found = np.array([(columns * made).sum(), (rows * made).sum()]) / made.sum()
  np.testing.assert_allclose(found, target[30], atol=0.8)  # the spline smooths


def test_sample_repeats_the_border():
  """Places outside the image get its border, pixel centres their pixels."""
  image = jnp.arange(12.0).reshape(3, 4, 1)
  got = warping.sample(image, jnp.array([[0.5, 0.5], [-9.0, -9.0], [99.0, 99.0], [2.0, 0.5]]))
  np.testing.assert_allclose(got[:, 0], [0, 0, 11, 1.5])
