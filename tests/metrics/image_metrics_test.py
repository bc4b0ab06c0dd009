"""Image quality against scikit-image, codebook use against hand-made counts."""

import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as published

from qm_vae.metrics import images as metrics


def images(seed=0, shape=(3, 31, 40, 3), noise=0.1):
  """Smooth images [N, H, W, C] and noisy copies, all in [0, 1]."""
  random = np.random.default_rng(seed)
  x = np.cumsum(random.standard_normal(shape), -2)
  x = (x - x.min()) / (x.max() - x.min())
  return x.astype(np.float32), np.clip(x + noise * random.standard_normal(shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_image_metrics_ssim_equals_scikit_image(noise):
  """Ssim equals scikit image."""
  x, x_hat = images(noise=noise)
  options = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 1,
    "channel_axis": -1,
  }
  expected = [published.structural_similarity(a, b, **options) for a, b in zip(x, x_hat, strict=True)]
  # Variances are differences of float32 means near 1, 1e-7, beside C2 = 9e-4: about 1e-4 of a window, less on average.
  np.testing.assert_allclose(metrics.ssim(jnp.asarray(x), jnp.asarray(x_hat)), expected, rtol=0, atol=1e-4)


def test_image_metrics_ssim_equal_images_one_takes():
  """Ssim of equal images is one and takes one example."""
  x = jnp.asarray(images()[0][0])
  np.testing.assert_allclose(metrics.ssim(x, x), 1, atol=1e-6)
  assert metrics.ssim(x, x).shape == ()


def test_image_metrics_ssim_refuses_images_smaller_window():
  """Ssim refuses images smaller than its window."""
  with pytest.raises(ValueError, match="10 x 12"):
    metrics.ssim(jnp.zeros((10, 12, 3)), jnp.zeros((10, 12, 3)))


def test_image_metrics_psnr_equals_scikit_image():
  """Psnr equals scikit image."""
  x, x_hat = images()
  expected = [published.peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(x, x_hat, strict=True)]
  np.testing.assert_allclose(metrics.psnr(jnp.asarray(x), jnp.asarray(x_hat)), expected, rtol=1e-5)  # float32 log10
  assert np.all(np.isinf(metrics.psnr(jnp.asarray(x), jnp.asarray(x))))


@pytest.mark.parametrize(
  ("counts", "perplexity", "used"),
  [([5, 5, 5, 5], 4, 1), ([9, 0, 0, 0], 1, 0.25), ([3, 3, 0, 0], 2, 0.5), ([0, 0, 0, 0], 0, 0)],
)
def test_image_metrics_codebook_use(counts, perplexity, used):
  """Codebook use."""
  counts = jnp.array(counts, jnp.float32)
  np.testing.assert_allclose(metrics.perplexity(counts), perplexity, rtol=1e-6)  # one float32 exp
  assert metrics.codebook_usage(counts) == used


def test_image_metrics_codebook_use_grid():
  """Codebook use of a grid."""
  counts = np.random.default_rng(0).integers(0, 50, (2, 16)).astype(np.float64)
  p = counts / counts.sum(-1, keepdims=True)
  expected = np.exp(-np.sum(p * np.log(np.maximum(p, 1e-300)), -1))
  np.testing.assert_allclose(metrics.perplexity(jnp.asarray(counts)), expected, rtol=2e-6)  # float32 sum of 16
