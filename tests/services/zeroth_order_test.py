"""The zeroth-order estimator against known gradients, and as an oracle of a hard label's smoothed gradient."""

import math

import numpy as np
import pytest

from qm_vae.services import zeroth_order


def test_zeroth_order_basis_orthonormal_low():
  """The basis is orthonormal and low."""
  basis = zeroth_order.low_frequencies(8, 3).reshape(27, -1)
  np.testing.assert_allclose(basis @ basis.T, np.eye(27), atol=1e-12)
  flat = basis.reshape(27, 8, 8, 3)[0]
  assert np.ptp(flat[..., 0]) < 1e-12 and not flat[..., 1:].any()


def test_zeroth_order_smooth_score():
  """A smooth score."""
  random = np.random.default_rng(0)
  slope, latent = random.normal(size=6), random.normal(size=6)
  score = lambda z: z @ slope + 0.5 * np.square(z).sum(1)
  found = zeroth_order.gradient(score, latent, random, directions=20_000, radius=0.1)
  # The error of one entry is about |gradient| / sqrt(K): 3.5 / 141, four times over.
  np.testing.assert_allclose(found, slope + latent, atol=0.1)


def test_zeroth_order_hard_label_gradient_mean():
  """A hard label has the gradient of its mean."""
  random = np.random.default_rng(1)
  score = lambda z: (z[:, 0] > 0.3).astype(float)
  found = zeroth_order.gradient(score, np.zeros(3), random, directions=40_000, radius=0.5)
  expected = math.exp(-0.5 * (0.3 / 0.5) ** 2) / math.sqrt(2 * math.pi) / 0.5  # of the normal distribution function
  np.testing.assert_allclose(found, [expected, 0, 0], atol=0.03)


def test_zeroth_order_descent_changes_label():
  """Descent changes a label."""
  score = lambda z: (z.sum(1) < 2).astype(float)
  random = np.random.default_rng(2)
  end = zeroth_order.descend(score, np.zeros(4), random, steps=60, rate=0.5, directions=30, radius=0.7)
  assert score(end[None])[0] == 0
  with pytest.raises(ValueError, match="radius 0"):
    zeroth_order.gradient(score, end, random, directions=1, radius=0)
