"""Frechet and kernel distance against closed forms, SciPy and scikit-learn; their intervals by simulation."""

import numpy as np
import pytest
from scipy import linalg
from sklearn import covariance
from sklearn.metrics import pairwise

from qm_vae.metrics import realism


def features(n=300, d=6, seed=0):
  random = np.random.default_rng(seed)
  return random.standard_normal((n, d)) @ random.standard_normal((d, d)) + random.standard_normal(d)


@pytest.mark.parametrize(("n", "d"), [(300, 6), (20, 50)])
def test_realism_shrunk_covariance_equals_scikit_learn(n, d):
  """Shrunk covariance equals scikit learn."""
  x = features(n, d)
  np.testing.assert_allclose(realism.shrunk_covariance(x), covariance.ledoit_wolf(x)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(300, 6), (20, 50)])
def test_realism_frechet_equals_matrix_square_root(n, d):
  """Frechet equals the matrix square root."""
  a, b = features(n, d), features(n + 7, d, seed=1)
  first, second = realism.shrunk_covariance(a), realism.shrunk_covariance(b)
  gap = a.mean(0) - b.mean(0)
  expected = gap @ gap + np.trace(first + second - 2 * np.real(linalg.sqrtm(first @ second)))
  np.testing.assert_allclose(realism.frechet(a, b), expected, rtol=1e-6)  # sqrtm of a product that is not symmetric


def test_frechet_of_gaussians_in_closed_form():
  """Means 2 apart and scales 1 and 3 in four dimensions: 4 + 4 (3 - 1)^2, within the noise of 40,000 draws."""
  random = np.random.default_rng(0)
  a, b = random.standard_normal((40000, 4)), 3 * random.standard_normal((40000, 4)) + (2, 0, 0, 0)
  np.testing.assert_allclose(realism.frechet(a, b), 20, rtol=0.02)


def test_realism_frechet_set_itself_zero():
  """Frechet of a set with itself is zero."""
  x = features(20, 50)
  assert realism.frechet(x, x) < 1e-5  # square roots of eigenvalues of about 100, in float64


def test_frechet_grows_with_fewer_faces():
  """Sets of one distribution: the floor depends on n, which is why it is measured at the method's n."""
  random = np.random.default_rng(0)
  value = lambda n: np.mean([realism.frechet(*random.standard_normal((2, n, 20))) for _ in range(10)])
  assert value(40) > 2 * value(160)


def test_realism_kernel_equals_scikit_learns_polynomial():
  """Kernel equals scikit learns polynomial kernel."""
  a, b = features(40), features(50, seed=1)
  k = lambda x, y: pairwise.polynomial_kernel(x, y, degree=3, coef0=1)  # gamma is 1 / D
  within = lambda x: k(x, x)[~np.eye(len(x), dtype=bool)].mean()
  np.testing.assert_allclose(realism.kernel(a, b), within(a) + within(b) - 2 * k(a, b).mean(), rtol=1e-9)


def test_kernel_is_unbiased():
  """Small sets of one distribution: zero on average, within three standard errors, at times below zero."""
  random = np.random.default_rng(0)
  values = np.array([realism.kernel(*random.standard_normal((2, 12, 5))) for _ in range(400)])
  assert abs(values.mean()) < 3 * values.std() / 20
  assert values.min() < 0


def test_standardized_distances_do_not_depend_on_the_features_unit():
  """In another unit and from another zero the distances are the same."""
  a, b = features(60), features(50, seed=1)
  moved = np.arange(6)
  for measure in (realism.frechet, realism.kernel):
    expected = measure(realism.standardized(a, a), realism.standardized(b, a))
    other = [realism.standardized(1e-3 * x + moved, 1e-3 * a + moved) for x in (a, b)]
    np.testing.assert_allclose(measure(*other), expected, rtol=1e-7)
  np.testing.assert_allclose(realism.standardized(a, a).var(0).mean(), 1)


def test_realism_standardized_refuses_originals_alike():
  """Standardized refuses originals that are alike."""
  with pytest.raises(ValueError, match="all alike"):
    realism.standardized(features(), np.ones((5, 6)))


@pytest.mark.parametrize("measure", [realism.frechet, realism.kernel])
def test_distance_interval_covers(measure):
  """Of 200 repetitions the intervals hold the values' mean in at least 176: 0.92 less two standard errors."""
  random = np.random.default_rng(0)
  found = []
  for _ in range(200):
    a = random.standard_normal((100, 4))
    found.append(realism.distance(a, 1.3 * random.standard_normal((100, 4)) + 0.7, measure))
  mean = np.mean([one["value"] for one in found])
  assert sum(one["low"] <= mean <= one["high"] for one in found) >= 176


def test_distance_interval_widens_when_people_repeat():
  """Each face four times over is no more than a quarter as many people."""
  a, b = features(100), features(100, seed=1)
  four = realism.distance(np.repeat(a, 4, 0), np.repeat(b, 4, 0), identity=np.repeat(np.arange(100), 4))
  unaware = realism.distance(np.repeat(a, 4, 0), np.repeat(b, 4, 0))
  assert four["n"] == 400
  assert four["high"] - four["low"] > 1.3 * (unaware["high"] - unaware["low"])


def test_between_halves_keeps_people_apart():
  """Outputs equal to the originals stand at the floor, not at zero; a shift of all outputs shows."""
  x = features(200)
  people = np.repeat(np.arange(100), 2)
  seen = []
  measure = lambda a, b: seen.append((a, b)) or realism.frechet(a, b)
  floor = realism.between_halves(x, x, measure, people)
  assert floor["value"] > 0
  assert (len(seen), floor["n"]) == (realism.SPLITS, 100)
  for a, b in seen:
    rows = lambda half: {int(i) for i in people[(x[:, None] == half[None]).all(-1).any(1)]}
    assert len(a) == len(b) == 100
    assert not rows(a) & rows(b)
  moved = realism.between_halves(x, x + 3, identity=people)
  assert moved["low"] > floor["high"]


@pytest.mark.parametrize(
  ("a", "b", "message"),
  [
    (np.zeros((5, 3)), np.zeros((5, 4)), "give \\[N, D\\]"),
    (np.zeros((1, 3)), np.zeros((5, 3)), "two rows"),
    (np.full((5, 3), np.nan), np.zeros((5, 3)), "not finite"),
  ],
)
def test_realism_distances_refuse(a, b, message):
  """Distances refuse."""
  for measure in (realism.frechet, realism.kernel):
    with pytest.raises(ValueError, match=message):
      measure(a, b)


def test_realism_distance_refuses_few_people_unequal():
  """Distance refuses few people and unequal sets."""
  with pytest.raises(ValueError, match="at least 20 people"):
    realism.distance(features(40), features(40), identity=np.zeros(40, int))
  with pytest.raises(ValueError, match="40 and 41 faces"):
    realism.distance(features(40), features(41))
