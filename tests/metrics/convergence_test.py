"""Trends at the end of training curves."""

import numpy as np
import pytest

from qm_vae.metrics.convergence import trend


def test_trend_of_a_falling_curve():
  """A curve that still falls says so, by as much as it falls."""
  found = trend(np.linspace(1.0, 0.1, 20) + np.random.default_rng(0).normal(0, 0.005, 20))
  assert found["falling"] and found["points"] == 10
  assert found["change"] == pytest.approx(-0.9 * 9 / 19, abs=0.02)


def test_trend_of_a_flat_curve():
  """Noise around a level is no trend, in 95 of 100 curves."""
  random = np.random.default_rng(1)
  falling = [trend(0.3 + random.normal(0, 0.02, 20))["falling"] for _ in range(200)]
  assert np.mean(falling) < 0.06


def test_trend_of_few_points():
  """Too few evaluations tell nothing."""
  assert trend([0.5, 0.4, 0.3])["falling"] is None
  with pytest.raises(ValueError, match="not finite"):
    trend([0.1] * 9 + [np.nan])
