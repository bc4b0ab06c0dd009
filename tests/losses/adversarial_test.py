"""Adversarial losses against values worked out by hand."""

import numpy as np

from qm_vae.losses import adversarial


def test_adversarial_least_squares():
  """Least squares."""
  verdict = np.float32([[[1.0, 0.0], [0.5, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
  # Towards 1: (0 + 1 + 0.25 + 1) / 4; towards 0: (1 + 0 + 0.25 + 4) / 4.
  np.testing.assert_allclose(adversarial.least_squares(verdict, 1.0), [0.5625, 0.0])
  np.testing.assert_allclose(adversarial.least_squares(verdict, 0.0), [1.3125, 1.0])


def test_adversarial_cross_entropy():
  """Cross entropy."""
  logits = np.float32([[0.0, np.log(3)], [200.0, 200.0]])
  # sigmoid(0) = 1/2, sigmoid(log 3) = 3/4.
  np.testing.assert_allclose(adversarial.cross_entropy(logits, 1.0), [-np.log(1 / 2 * 3 / 4) / 2, 0], rtol=1e-6)
  np.testing.assert_allclose(adversarial.cross_entropy(logits, 0.0), [-np.log(1 / 2 * 1 / 4) / 2, 200], rtol=1e-6)


def test_adversarial_absolute_away():
  """Absolute and away."""
  x, y = np.float32([[[1.0, -1.0]], [[0.0, 0.5]]]), np.float32([[[0.0, 1.0]], [[0.0, 0.5]]])
  np.testing.assert_allclose(adversarial.absolute(x, y), [1.5, 0.0])
  embedding = np.float32([[1, 0], [0, 1], [-0.6, 0.8]])
  np.testing.assert_allclose(adversarial.away(embedding, np.float32([1, 0])), [0, 1, 1.6], atol=1e-6)
