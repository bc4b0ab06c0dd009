"""Encoder and decoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.models import vqvae
from qm_vae.models.presets import PRESETS

KEY = jax.random.key(0)


def build(preset, size=32, views=4, code_dim=8):
  encoder, decoder = vqvae.Encoder(PRESETS[preset], code_dim), vqvae.Decoder(PRESETS[preset])
  x = jax.random.uniform(KEY, (2, size, size, 3 * views))
  encoder_params = jax.jit(encoder.init)(KEY, x)
  z = jax.jit(encoder.apply)(encoder_params, x)
  return encoder, decoder, encoder_params, jax.jit(decoder.init)(KEY, z), x, z


@pytest.mark.parametrize("preset", ["small", pytest.param("paper", marks=pytest.mark.slow)])
def test_vqvae_four_pixels_become_one_code(preset):
  """Four pixels become one code and back."""
  _, decoder, _, params, x, z = build(preset)
  image = jax.jit(decoder.apply)(params, z)
  assert z.shape == (2, 8, 8, 8) and z.dtype == jnp.float32
  assert image.shape == (*x.shape[:3], 3) and image.dtype == jnp.float32
  assert float(image.min()) >= 0 and float(image.max()) <= 1


def test_vqvae_small_preset_costs_most_100():
  """The small preset costs at most 100 mflop at 64 pixels."""
  encoder, decoder, encoder_params, params, _, _ = build("small", size=64, code_dim=64)
  forward = jax.jit(lambda e, d, x: decoder.apply(d, encoder.apply(e, x)))
  cost = forward.lower(encoder_params, params, jnp.zeros((1, 64, 64, 12))).compile().cost_analysis()
  assert 30e6 < cost["flops"] <= 100e6  # 82 with every product of the 3x3 convolutions (models/winograd.py)


def test_vqvae_paper_preset_van_den_oords():
  """The paper preset has van den oords widths."""
  _, _, encoder_params, params, _, _ = build("paper", code_dim=64)
  kernels = [leaf.shape for leaf in jax.tree.leaves((encoder_params, params)) if leaf.ndim == 4]
  assert (4, 4, 12, 64) in kernels and (4, 4, 64, 128) in kernels  # two strided convolutions to 128 channels
  assert kernels.count((3, 3, 128, 32)) == 4 and kernels.count((1, 1, 32, 128)) == 4  # two residual blocks each way


def test_vqvae_fresh_decoder_draws_no_checkerboard():
  """A fresh decoder draws no checkerboard."""
  _, decoder, _, params, _, _ = build("small")
  image = jax.jit(decoder.apply)(params, jnp.ones((1, 16, 16, 8)))
  inside = np.asarray(image)[0, 28:36, 28:36]  # the border's zero padding reaches less than 28 pixels
  # All pixels see the same codes through the same kernels: what differs is the order of float32 sums.
  np.testing.assert_allclose(inside, np.broadcast_to(inside[:1, :1], inside.shape), atol=1e-6)


def test_vqvae_no_checkerboard_learnt():
  """No checkerboard can be learnt."""
  # Kernels drawn apart for every phase, which is the worst that training can do: the smoothing must remove the pattern.
  layer = vqvae.SubPixel(3)
  x = jnp.ones((1, 8, 8, 4))
  params = jax.tree.map(lambda p: jax.random.normal(KEY, p.shape), layer.init(KEY, x))
  image = np.asarray(layer.apply(params, x))[0, 4:12, 4:12]
  checker = (-1.0) ** np.add.outer(np.arange(8), np.arange(8))[..., None]
  stripes = (-1.0) ** np.arange(8)[:, None, None]
  scale = np.abs(image).mean()
  for pattern in (checker, stripes, stripes.swapaxes(0, 1)):
    assert np.abs((image * pattern).mean()) < 1e-6 * scale  # the rounding of 64 float32 terms


def test_vqvae_smoothing_against_numpy():
  """Smoothing against numpy."""
  x = np.random.default_rng(0).random((2, 5, 6, 3), np.float32)
  wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
  weight = np.outer([1, 2, 1], [1, 2, 1]) / 16
  expected = sum(weight[i, j] * wide[:, i : i + 5, j : j + 6] for i in range(3) for j in range(3))
  np.testing.assert_allclose(vqvae.smooth(jnp.asarray(x)), expected, rtol=1e-6)  # nine float32 terms


def test_vqvae_smoothing_own_gradient():
  """The smoothing is its own gradient."""
  x = jax.random.normal(KEY, (2, 5, 6, 3))
  derived = jax.linear_transpose(vqvae.smooth.fun, x)  # the function without its own derivative
  g = jax.random.normal(jax.random.key(1), x.shape)
  np.testing.assert_allclose(jax.vjp(vqvae.smooth, x)[1](g)[0], derived(g)[0], atol=1e-6)  # nine float32 terms


def test_vqvae_views_stand_side_side_channels():
  """Views stand side by side in the channels."""
  views = np.random.default_rng(0).random((2, 4, 8, 8, 3))
  np.testing.assert_array_equal(
    vqvae.views_to_channels(jnp.asarray(views)), np.concatenate([views[:, i] for i in range(4)], -1).astype(np.float32)
  )
