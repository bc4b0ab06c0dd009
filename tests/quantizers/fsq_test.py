"""Finite scalar quantization against its published definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.quantizers import fsq

KEY = jax.random.key(0)


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (2, 3)])
def test_fsq_every_id_stands_one_code(levels):
  """Every id stands for one code."""
  quantizer = fsq.make(levels=levels)
  assert quantizer.num_codes == np.prod(levels)
  codes = quantizer.decode((), (), jnp.arange(quantizer.num_codes))
  assert len(np.unique(np.asarray(codes), axis=0)) == quantizer.num_codes
  for channel, level in enumerate(levels):
    # Mentzer et al.: integers -(L // 2) .. (L - 1) // 2, divided by L // 2.
    expected = np.arange(-(level // 2), (level - 1) // 2 + 1) / (level // 2)
    np.testing.assert_allclose(np.unique(np.asarray(codes[:, channel])), expected, rtol=1e-6)


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (2, 3)])
def test_fsq_rounds_bounded_encoding_reaches_every(levels):
  """Rounds the bounded encoding and reaches every level."""
  quantizer = fsq.make(levels=levels)
  z = 3 * jax.random.normal(KEY, (4, 16, 16, len(levels)))
  z = z.at[0, 0, 0].set(100.0).at[0, 0, 1].set(-100.0)
  out = quantizer.apply((), (), z, KEY, train=True)
  steps = np.array(levels)
  half = (steps - 1) * (1 - 1e-3) / 2
  offset = np.where(steps % 2, 0, 0.5)
  bounded = np.tanh(np.asarray(z, np.float64) + np.tan(offset / half)) * half - offset
  clear = np.abs(bounded - np.floor(bounded) - 0.5) > 1e-5  # float32 may round a tie either way
  expected = np.round(bounded) / (steps // 2)
  np.testing.assert_allclose(np.asarray(out.z_q)[clear], expected[clear], rtol=1e-6)
  for channel, level in enumerate(levels):
    assert len(np.unique(np.asarray(out.z_q[..., channel]))) == level
  np.testing.assert_array_equal(out.codebook, 0)
  np.testing.assert_array_equal(out.commitment, 0)


def test_fsq_gradient_bound():
  """Gradient is that of the bound."""
  levels = (8, 5, 3)
  quantizer = fsq.make(levels=levels)
  z = jax.random.normal(KEY, (2, 3, 3, 3))
  seen = jax.random.normal(jax.random.key(1), z.shape)
  gradient = jax.grad(lambda z: jnp.sum(seen * quantizer.apply((), (), z, KEY, train=True).z_q))(z)
  steps = np.array(levels)
  half = (steps - 1) * (1 - 1e-3) / 2
  shift = np.tan(np.where(steps % 2, 0, 0.5) / half)
  slope = half * (1 - np.tanh(np.asarray(z, np.float64) + shift) ** 2) / (steps // 2)
  np.testing.assert_allclose(gradient, seen * slope, rtol=1e-5, atol=1e-6)  # float32 tanh
