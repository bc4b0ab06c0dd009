"""Make-up regions and the histogram loss."""

import jax
import numpy as np

from qm_vae.faces import makeup

LANDMARKS = jax.jit(makeup.landmarks)
LOSS = jax.jit(jax.value_and_grad(makeup.histogram_loss))
EYES = np.float32([20, 24, 40, 28])  # a head tilted to the right


def test_makeup_landmarks_follow_eyes():
  """Landmarks follow the eyes."""
  points = np.asarray(LANDMARKS(EYES))
  assert points.shape == (68, 2)
  np.testing.assert_allclose(points[36:42].mean(0), EYES[:2], atol=1)  # of 20 pixels between the eyes
  np.testing.assert_allclose(points[42:48].mean(0), EYES[2:], atol=1)
  mirrored = makeup.LANDMARKS * (-1, 1)
  for left, right in ((range(0, 17), range(16, -1, -1)), (range(17, 22), range(26, 21, -1)), ((48,), (54,))):
    np.testing.assert_allclose(mirrored[list(left)], makeup.LANDMARKS[list(right)], atol=1e-12)


def test_makeup_regions_apart_should():
  """Regions are apart and where they should be."""
  regions = np.asarray(jax.jit(lambda e: makeup.regions(e, (64, 60)))(EYES))
  assert regions.shape == (3, 64, 60) and regions.sum(0).max() == 1
  lips, skin, eyes = regions
  points = np.asarray(LANDMARKS(EYES))
  at = lambda region, x, y: region[int(y), int(x)]
  assert at(lips, *points[62:67].mean(0)) == 1
  assert at(skin, *points[30]) == 1  # the tip of the nose
  assert at(eyes, *(points[36:42].mean(0) + (0, 4))) == 1  # below the eye at the left
  assert at(eyes, *EYES[:2]) == 0 and at(skin, *EYES[:2]) == 0  # the eye itself
  assert not regions[:, :2, :2].any()


def test_makeup_places_directions_within_region():
  """Places are directions within their region."""
  found = jax.tree.map(np.asarray, jax.jit(lambda e: makeup.parts(e, (64, 60), 4))(EYES))
  assert found.regions.shape == (3, 16, 15) and found.places.shape == (3, 16, 15, 136)
  np.testing.assert_allclose(np.linalg.norm(found.places, axis=-1), found.regions, atol=1e-5)
  row, column = np.argwhere(np.asarray(found.regions[1]))[0]
  offset = (np.array([4 * column + 2, 4 * row + 2]) - np.asarray(LANDMARKS(EYES))).ravel()
  np.testing.assert_allclose(found.places[1, row, column], offset / np.linalg.norm(offset), atol=1e-5)


def _by_the_book(image, reference, region, reference_region):
  """BeautyGAN's histogram matching, pixel by pixel, then the mean absolute difference over the whole image."""
  matched = image.copy()
  for c in range(3):
    shares = []
    for values in (image[..., c][region > 0], reference[..., c][reference_region > 0]):
      shares.append(np.cumsum(np.bincount(values.astype(int), minlength=256)) / len(values))
    table = [next(j for j in range(256) if shares[1][j] >= shares[0][i] - 1e-9) for i in range(256)]
    matched[..., c] = np.where(region > 0, np.array(table)[image[..., c].astype(int)], image[..., c])
  return np.abs(matched - image).mean()


def test_makeup_histogram_loss_distance_matched_region():
  """Histogram loss is the distance to the matched region."""
  random = np.random.default_rng(0)
  image, reference = random.integers(0, 256, (9, 8, 3)), random.integers(40, 180, (7, 9, 3))
  region = (random.random((9, 8)) < 0.5).astype(np.float32)
  other = (random.random((7, 9)) < 0.4).astype(np.float32)
  as_float = lambda x: (x + 0.25).astype(np.float32) / 255  # a quarter level up, so that none is lost to rounding
  loss, gradient = LOSS(as_float(image), as_float(reference), region, other)
  # The quarter level is part of every difference: at most that much apart.
  np.testing.assert_allclose(loss, _by_the_book(image, reference, region, other), atol=0.25)
  assert float(LOSS(as_float(image), as_float(reference), 0 * region, other)[0]) == 0
  np.testing.assert_array_equal(np.asarray(gradient)[region == 0], 0)
  assert np.abs(gradient).max() > 0


def test_makeup_one_colour_becomes_other():
  """One colour becomes the other."""
  image, reference = np.full((9, 8, 3), 100 / 255, np.float32), np.full((7, 9, 3), 130 / 255, np.float32)
  every = np.ones((9, 8), np.float32), np.ones((7, 9), np.float32)
  np.testing.assert_allclose(LOSS(image, reference, *every)[0], 30, atol=1e-3)
