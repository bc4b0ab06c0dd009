"""Gradient estimators against explicit matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.quantizers.estimator import ESTIMATORS, rotation, straight_through

SHAPE = (3, 4, 5)


def pair():
  keys = jax.random.split(jax.random.key(0), 3)
  return [jax.random.normal(key, SHAPE) for key in keys]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_value_z_q_bit_bit(name):
  """Value is z q bit for bit."""
  z_e, z_q, _ = pair()
  z_e = 1e4 * z_e  # where z_e + (z_q - z_e) would lose z_q's last bits
  z_q = z_q.at[0, 0].set(-0.0)
  for estimate in (ESTIMATORS[name], jax.jit(ESTIMATORS[name])):
    assert np.asarray(estimate(z_e, z_q)).tobytes() == np.asarray(z_q).tobytes()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_codes_receive_no_gradient(name):
  """Codes receive no gradient."""
  z_e, z_q, seen = pair()
  gradient = jax.grad(lambda q: jnp.sum(seen * ESTIMATORS[name](z_e, q)))(z_q)
  np.testing.assert_array_equal(gradient, 0)


def test_estimator_straight_through_passes_gradient_unchanged():
  """Straight through passes the gradient unchanged."""
  z_e, z_q, seen = pair()
  gradient = jax.grad(lambda z: jnp.sum(seen * straight_through(z, z_q)))(z_e)
  np.testing.assert_array_equal(gradient, seen)


def test_estimator_rotation_gradient_equals_explicit_matrix():
  """Rotation gradient equals that of the explicit matrix."""
  z_e, z_q, seen = pair()
  gradient = jax.jit(jax.grad(lambda z: jnp.sum(seen * rotation(z, z_q))))(z_e)
  for i in np.ndindex(SHAPE[:2]):
    e, q, g = (np.asarray(x[i], np.float64) for x in (z_e, z_q, seen))
    e_hat, q_hat = e / np.linalg.norm(e), q / np.linalg.norm(q)
    r = (e_hat + q_hat) / np.linalg.norm(e_hat + q_hat)
    matrix = np.eye(5) - 2 * np.outer(r, r) + 2 * np.outer(q_hat, e_hat)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-12)  # it is a rotation
    np.testing.assert_allclose(np.linalg.norm(q) / np.linalg.norm(e) * matrix @ e, q, atol=1e-12)  # and takes e to q
    expected = np.linalg.norm(q) / np.linalg.norm(e) * matrix.T @ g
    # Float32; r is ill-conditioned by the length of e_hat + q_hat, at least 0.2 here.
    np.testing.assert_allclose(gradient[i], expected, rtol=2e-5, atol=2e-5)


def test_estimator_rotation_keeps_angle_between_gradient():
  """Rotation keeps the angle between gradient and code."""
  z_e, z_q, seen = pair()
  gradient = jax.grad(lambda z: jnp.sum(seen * rotation(z, z_q)))(z_e)
  cosine = lambda a, b: np.sum(a * b, -1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
  # As above: the angle at z_e is that at z_q.
  np.testing.assert_allclose(cosine(np.asarray(gradient), np.asarray(z_e)), cosine(seen, z_q), atol=2e-5)


def test_estimator_rotation_finite_not_defined():
  """Rotation is finite where it is not defined."""
  z_q = jnp.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
  z_e = jnp.array([[-1.0, -2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
  gradient = jax.grad(lambda z: jnp.sum(rotation(z, z_q)))(z_e)
  assert np.all(np.isfinite(gradient))
