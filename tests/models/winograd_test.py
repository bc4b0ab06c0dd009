"""The convolution with fewer products against the plain one, and where it is used."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qm_vae.models import winograd

KEY = jax.random.key(0)


def plain(x, kernel):
  return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.slow
def test_winograd_values_gradients_plain_convolution():
  """Values and gradients are those of the plain convolution."""
  x, k, g = (jax.random.normal(key, shape) for key, shape in zip(
    jax.random.split(KEY, 3), ((2, 8, 12, 16), (3, 3, 16, 32), (2, 8, 12, 32)), strict=True
  ))  # fmt: skip

  def both(conv):
    y, pull = jax.vjp(conv, x, k)
    return y, *pull(g)

  for ours, theirs in zip(both(winograd.conv_3x3), both(plain), strict=True):
    # Weights of up to 8 and 24 in the way there and back, times the rounding of float32.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-5 * float(jnp.std(theirs)))


@pytest.mark.parametrize(
  ("shape", "options", "dtype", "quicker"),
  [
    ((1, 8, 8, 32), {}, jnp.float32, True),
    ((1, 8, 10, 32), {}, jnp.float32, False),  # no whole blocks
    ((1, 8, 8, 32), {"strides": (2, 2)}, jnp.float32, False),
    ((1, 8, 8, 32), {"padding": "VALID"}, jnp.float32, False),
    ((1, 8, 8, 32), {"kernel_dilation": (2, 2)}, jnp.float32, False),
    ((1, 8, 8, 32), {}, jnp.bfloat16, False),  # eight bits of mantissa do not bear it
    ((1, 8, 8, 4), {}, jnp.float32, False),  # too few channels
  ],
)
def test_winograd_used_quicker_fits(shape, options, dtype, quicker, monkeypatch):
  """It is used where it is quicker and fits."""
  used = []
  conv_3x3 = winograd.conv_3x3
  monkeypatch.setattr(winograd, "conv_3x3", lambda x, k: used.append(1) or conv_3x3(x, k))
  ours = nn.Conv(32, (3, 3), dtype=dtype, conv_general_dilated=winograd.conv_general_dilated, **options)
  theirs = nn.Conv(32, (3, 3), dtype=dtype, **options)
  x = jax.ShapeDtypeStruct(shape, dtype)
  params = jax.eval_shape(theirs.init, KEY, x)
  assert jax.eval_shape(ours.apply, params, x) == jax.eval_shape(theirs.apply, params, x)
  assert bool(used) == (quicker and jax.default_backend() == "cpu")
