"""Where a face is replaced, and what of the light comes back."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.faces import compositing
from tests.support.landmarks import frontal

SIDE = 64
POINTS = frontal(SIDE)


def test_region_is_whole_inside_and_nothing_outside():
  """Eyes, nose and mouth are replaced whole; what lies above the brows and below the chin is not."""
  weight = np.asarray(compositing.region(jnp.asarray(POINTS), (SIDE, SIDE)))[..., 0]
  inner = POINTS[27:68].astype(int)
  assert weight[inner[:, 1], inner[:, 0]].min() > 0.99
  outline = np.concatenate([POINTS[:17], POINTS[26:16:-1] - (0, 0.31 * 0.3 * SIDE)])
  outside = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [np.rint(outline).astype(np.int32)], 1) == 0
  assert weight[cv2.erode(outside.astype(np.uint8), np.ones((3, 3))) > 0].max() == 0


def test_region_of_landmarks_without_extent_is_empty():
  """Landmarks that all coincide replace nothing, and give no NaN."""
  weight = np.asarray(compositing.region(jnp.full((68, 2), 20.0), (SIDE, SIDE)))
  assert np.isfinite(weight).all() and weight.sum() < 1


def test_composite_keeps_the_original_outside():
  """Outside the region the original stays bit for bit."""
  random = np.random.default_rng(0)
  original, made = random.random((2, SIDE, SIDE, 3)).astype(np.float32)
  done = np.asarray(compositing.composite(jnp.asarray(made), jnp.asarray(original), jnp.asarray(POINTS), "color"))
  weight = np.asarray(compositing.region(jnp.asarray(POINTS), (SIDE, SIDE)))[..., 0]
  np.testing.assert_array_equal(done[weight == 0], original[weight == 0])
  assert (done[weight == 1] != original[weight == 1]).any(-1).mean() > 0.99


@pytest.mark.parametrize("points", [np.full((68, 2), 20.0), POINTS / 4, POINTS + (SIDE / 2, 0)])
def test_composite_by_landmarks_that_fit_no_face_shows_nothing(points):
  """Where the landmarks are a speck or beside the face, the whole crop gets one colour."""
  random = np.random.default_rng(0)
  original, made = random.random((2, SIDE, SIDE, 3)).astype(np.float32)
  done = np.asarray(compositing.composite(jnp.asarray(made), jnp.asarray(original), jnp.asarray(points), "none"))
  np.testing.assert_allclose(done, np.broadcast_to(original.mean((0, 1)), done.shape), atol=1e-5)


@pytest.mark.parametrize("light", ["color", "gradient"])
def test_relight_takes_over_the_mean_colour(light):
  """The mean colour of the region becomes the original's; with a gradient so does the side that is darker."""
  random = np.random.default_rng(0)
  slope = np.linspace(0.2, 0.6, SIDE)[None, :, None] * np.float32([1, 0.8, 0.7])
  original = np.broadcast_to(slope, (SIDE, SIDE, 3)).astype(np.float32)
  made = (0.5 + 0.1 * random.standard_normal((SIDE, SIDE, 3))).astype(np.float32)
  weight = compositing.region(jnp.asarray(POINTS), (SIDE, SIDE))
  lit = np.asarray(compositing.relight(jnp.asarray(made), jnp.asarray(original), weight, light, 0.3 * SIDE))
  mean = lambda x: (x * np.asarray(weight)).sum((0, 1)) / np.asarray(weight).sum()
  np.testing.assert_allclose(mean(lit), mean(original), atol=0.01)
  at_right = np.arange(SIDE)[None, :, None] >= SIDE / 2
  ratio = mean(lit * at_right).sum() / mean(lit * ~at_right).sum()
  assert (ratio > 1.05) == (light == "gradient")


def test_relight_none_changes_nothing():
  """Without light the face keeps its own."""
  made = jnp.full((SIDE, SIDE, 3), 0.3)
  assert compositing.relight(made, made + 0.2, jnp.ones((SIDE, SIDE, 1)), "none", 20.0) is made
