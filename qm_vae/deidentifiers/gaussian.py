"""Gaussian means that take nothing from outside a region."""

import jax
import jax.numpy as jnp
import numpy as np


def _weights(length, sigma):
  """[length, length] float32: untruncated Gaussian weight of pixel j in the smoothed pixel i."""
  offset = np.arange(length)[:, None] - np.arange(length)[None, :]
  return np.exp(-0.5 * np.square(offset / sigma)).astype(np.float32)


def masked_mean(values, inside, sigma):
  """Gaussian mean around every pixel over the pixels inside a region (normalised convolution).

  Args:
    values: [H, W, C] float32; what stands outside the region is not read.
    inside: [H, W, 1] bool, the region.
    sigma: standard deviation of the Gaussian, in pixels.

  Returns:
    [H, W, C] float32; of no meaning outside the region.

  Source: Knutsson and Westin 1993, "Normalized and differential convolution".
  """
  height, width, channels = values.shape
  weighted = jnp.concatenate([jnp.where(inside, values, 0.0), inside.astype(jnp.float32)], -1)
  # Two small matrix products cost the same for every sigma; full float32, else a GPU would round to TF32.
  sums = jnp.einsum("ih,hwc->iwc", _weights(height, sigma), weighted, precision=jax.lax.Precision.HIGHEST)
  sums = jnp.einsum("jw,iwc->ijc", _weights(width, sigma), sums, precision=jax.lax.Precision.HIGHEST)
  # A pixel of the region has at least its own weight, 1; the bound keeps the others from dividing by 0.
  return sums[..., :channels] / jnp.maximum(sums[..., channels:], 0.5)
