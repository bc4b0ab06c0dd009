"""Image quality and codebook use, in JAX; all of them float32."""

import functools

import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError

WINDOW = 11  # pixels
SIGMA = 1.5  # pixels
C1, C2 = 0.01**2, 0.03**2  # for images in [0, 1]


def psnr(x, x_hat):
  """Peak signal-to-noise ratio.

  Args:
    x: [..., H, W, C] in [0, 1].
    x_hat: [..., H, W, C] in [0, 1].

  Returns:
    [...] float32, dB; infinite for equal images.
  """
  error = jnp.mean(jnp.square(x.astype(jnp.float32) - x_hat.astype(jnp.float32)), (-3, -2, -1))
  return -10.0 * jnp.log10(error)


UNPROTECTED = 40.0
"""Decibels of PSNR: a face that is as near to its original as this, or nearer, was not protected."""


def psnr_of_difference(difference) -> float:
  """Peak signal-to-noise ratio, dB, of differences in grey levels (int16, any shape); infinite where all are 0."""
  error = np.mean(np.square(difference, dtype=np.int32))
  return float(10 * np.log10(255**2 / error)) if error else float("inf")


def _windowed(x):
  """Gaussian means of [..., H, W, C] over the windows that lie wholly inside: [..., H - 10, W - 10, C]."""
  weights = np.exp(-0.5 * np.square((np.arange(WINDOW) - WINDOW // 2) / SIGMA))
  weights = (weights / weights.sum()).astype(np.float32)
  height, width = x.shape[-3] - WINDOW + 1, x.shape[-2] - WINDOW + 1
  # Shifted sums: one fused loop, where a grouped convolution is slow on CPUs.
  rows = [float(w) * x[..., i : i + height, :, :] for i, w in enumerate(weights)]
  x = functools.reduce(jnp.add, rows)
  return functools.reduce(jnp.add, [float(w) * x[..., i : i + width, :] for i, w in enumerate(weights)])


def ssim(x, x_hat):
  """Structural similarity with Gaussian 11 x 11 windows of sigma 1.5, averaged over windows and channels.

  Args:
    x: [..., H, W, C] in [0, 1], H and W >= 11.
    x_hat: [..., H, W, C] in [0, 1].

  Returns:
    [...] float32 in [-1, 1], 1 for equal images.

  Raises:
    ValueError: for images smaller than the window.

  Source: Wang et al. 2004, "Image quality assessment", Eq. (13).
  """
  if min(x.shape[-3:-1]) < WINDOW:
    raise InputError(
      f"ssim: images of {x.shape[-3]} x {x.shape[-2]} pixels are smaller than its {WINDOW} x {WINDOW} window"
    )
  x, y = x.astype(jnp.float32), x_hat.astype(jnp.float32)
  mean_x, mean_y = _windowed(x), _windowed(y)
  variance_x = _windowed(x * x) - mean_x * mean_x
  variance_y = _windowed(y * y) - mean_y * mean_y
  covariance = _windowed(x * y) - mean_x * mean_y
  luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
  structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
  return jnp.mean(luminance * structure, (-3, -2, -1))


def perplexity(counts):
  """exp of the entropy of code use: K when all codes are used alike, 1 when a single one is.

  Args:
    counts: [..., K] >= 0, how often each code was chosen, summed over what is to be judged (an epoch).

  Returns:
    [...] float32 in [1, K]; 0 where nothing was counted.
  """
  counts = counts.astype(jnp.float32)
  total = jnp.sum(counts, -1)
  p = counts / jnp.maximum(total, 1.0)[..., None]
  entropy = -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1.0)), -1)
  return jnp.where(total > 0, jnp.exp(entropy), 0.0)


def codebook_usage(counts):
  """Share of the codes that were chosen at all.

  Args:
    counts: [..., K] >= 0, as for `perplexity`.

  Returns:
    [...] float32 in [0, 1].
  """
  return jnp.mean((counts > 0).astype(jnp.float32), -1)
