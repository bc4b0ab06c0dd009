"""Augmentation against NumPy, one change at a time."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
from PIL import Image

from qm_vae.data import augment as module
from qm_vae.data.augment import Augmentation, _resampling

augment = jax.jit(module.augment, static_argnums=2)
KEY = jax.random.key(7)
EVERYTHING = Augmentation(shift=0.1, scale=0.2, flip=0.5, blur=1.0, contrast=0.2, brightness=0.1, noise=0.02)


def _images(*shape, low=0.0, high=1.0):
  return np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)


def _matrix(size, scale=1.0, shift=0.0, sigma=None):
  one = lambda value: jnp.array([value], jnp.float32)
  return np.asarray(_resampling(size, one(scale), one(shift), None if sigma is None else one(sigma)))[0]


def test_augment_nothing_set_returns_input_bit():
  """Nothing set returns the input bit for bit."""
  image = _images(2, 5, 7, 3, low=-1, high=2)  # not even clipped
  np.testing.assert_array_equal(module.augment(image, KEY, Augmentation()), image)


@pytest.mark.parametrize("pixels", [-3, 2])
def test_augment_shift_whole_pixels_exact(pixels):
  """Shift by whole pixels is exact."""
  x = _images(16)
  shifted = _matrix(16, shift=pixels / 16) @ x
  inside = slice(max(pixels, 0), 16 + min(pixels, 0))
  np.testing.assert_array_equal(shifted[inside], np.roll(x, pixels)[inside])
  border = x[0] if pixels > 0 else x[-1]
  np.testing.assert_array_equal(np.delete(shifted, np.arange(16)[inside]), border)  # the border goes on


def test_augment_flip_exact_horizontal():
  """Flip is exact and horizontal."""
  image = _images(3, 6, 5, 3)
  np.testing.assert_array_equal(augment(image, KEY, Augmentation(flip=1.0)), image[:, :, ::-1])


@pytest.mark.parametrize("scale", [1.25, 0.8])
def test_augment_scale_about_centre(scale):
  """Scale is about the centre."""
  ramp = np.arange(15, dtype=np.float32)  # linear interpolation keeps a line straight
  scaled = _matrix(15, scale=scale) @ ramp
  # Away from the border. Enlarged, exact up to round-off; shrunk, a widened triangle over few pixels is a tenth off.
  tolerance = 1e-4 if scale > 1 else 0.1
  np.testing.assert_allclose(scaled[4:11], (ramp[4:11] - 7) / scale + 7, atol=tolerance)


def test_augment_blur_gaussian():
  """Blur is the gaussian."""
  sigma, x = 1.3, np.eye(21, dtype=np.float32)[10]
  expected = np.exp(-((np.arange(21) - 10) ** 2) / (2 * sigma**2))
  # 1e-6: float32 round-off of weights below 1; the tails that the border cuts hold less.
  np.testing.assert_allclose(_matrix(21, sigma=sigma).T @ x, expected / expected.sum(), atol=1e-6)
  np.testing.assert_array_equal(_matrix(21, sigma=0.0), np.eye(21))


def test_augment_flat_image_stays_flat():
  """A flat image stays flat."""
  geometry = EVERYTHING._replace(contrast=0, brightness=0, noise=0)
  # Weights of a row sum to 1 within float32.
  np.testing.assert_allclose(augment(np.full((4, 9, 8, 3), 0.4, np.float32), KEY, geometry), 0.4, rtol=1e-5)


def test_augment_contrast_keeps_mean_brightness_moves():
  """Contrast keeps the mean and brightness moves it."""
  image = _images(2000, 2, 2, 3, low=0.4, high=0.6)
  mean = image.mean((1, 2, 3))
  contrasted = np.asarray(augment(image, KEY, Augmentation(contrast=0.3)))
  np.testing.assert_allclose(contrasted.mean((1, 2, 3)), mean, atol=1e-6)
  factor = contrasted.std((1, 2, 3)) / image.std((1, 2, 3))
  moved = np.asarray(augment(image, KEY, Augmentation(brightness=0.2))).mean((1, 2, 3)) - mean
  for values, centre, reach in ((factor, 1, 0.3), (moved, 0, 0.2)):
    assert np.abs(values - centre).max() <= reach + 1e-4
    # A uniform draw's mean and spread within five standard errors of 2000 draws (0.58 / sqrt(2000), 0.26 / sqrt(2000)).
    assert abs(values.mean() - centre) < 5 * 0.013 * reach
    assert abs(values.std() / reach - 3**-0.5) < 5 * 0.006


def test_augment_noise_standard_deviation_grey():
  """Noise has its standard deviation and is grey."""
  noise = np.asarray(augment(np.full((4, 32, 32, 3), 0.5, np.float32), KEY, Augmentation(noise=0.05))) - 0.5
  np.testing.assert_array_equal(noise[..., 0], noise[..., 2])
  # 4096 draws: five standard errors of mean (0.05 / 64) and of standard deviation (0.05 / 90).
  assert abs(noise[..., 0].mean()) < 5 * 0.05 / 64
  assert abs(noise[..., 0].std() - 0.05) < 5 * 0.05 / 90


def test_augment_shift_flip_drawn_per_example():
  """Shift and flip are drawn per example."""
  image = np.zeros((400, 1, 21, 1), np.float32)
  image[:, :, 10] = 1
  moved = np.asarray(augment(image, KEY, Augmentation(shift=0.2)))[:, 0, :, 0]
  centre = moved @ np.arange(21) - 10  # of mass; linear interpolation keeps it
  assert np.abs(centre).max() <= 0.2 * 21 + 1e-3
  assert abs(centre.mean()) < 5 * 4.2 * 3**-0.5 / 20  # five standard errors of 400 uniform draws
  image = np.tile(np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1) / 4, (400, 1, 1, 1))
  share = (np.asarray(augment(image, KEY, Augmentation(flip=0.3)))[:, 0, 0, 0] > 0).mean()
  assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 400) ** 0.5


def test_augment_range_jit_vmap():
  """Range jit and vmap."""
  image = _images(4, 8, 10, 3)
  eager = module.augment(image, KEY, EVERYTHING)
  assert eager.shape == image.shape and eager.dtype == jnp.float32
  assert float(eager.min()) >= 0 and float(eager.max()) <= 1
  # Fused sums round differently: a few units in the last place of values up to 1.
  np.testing.assert_allclose(augment(image, KEY, EVERYTHING), eager, atol=1e-5)
  both = jax.jit(jax.vmap(lambda key: module.augment(image, key, EVERYTHING)))(jnp.stack([KEY, jax.random.key(8)]))
  np.testing.assert_allclose(both[0], eager, atol=1e-5)
  assert float(jnp.abs(both[0] - both[1]).max()) > 0.1  # another key, another draw


def test_augment_gradient_equals_finite_differences():
  """Gradient equals finite differences."""
  image, direction = _images(2, 6, 6, 3, low=0.4, high=0.6), _images(2, 6, 6, 3) - 0.5
  weights = _images(2, 6, 6, 3)
  loss = jax.jit(lambda x: jnp.sum(weights * module.augment(x, KEY, EVERYTHING)))
  step = 0.05  # nothing is clipped, so the function is affine and only round-off remains: 1e-5 / step
  numeric = (loss(image + step * direction) - loss(image - step * direction)) / (2 * step)
  analytic = jnp.vdot(jax.grad(loss)(image), direction)
  np.testing.assert_allclose(analytic, numeric, rtol=1e-3, atol=1e-3)


def test_jpeg_rounding_is_the_files_own():
  """Against SciPy's transform, and grey pictures through Pillow's encoder at quality 50, where the table is its own."""
  grey = np.repeat(np.round(_images(1, 16, 24, 1, low=51, high=204)) / np.float32(255), 3, -1)
  blocks = grey[0, ..., 0].reshape(2, 8, 3, 8).swapaxes(1, 2) - module._MIDDLE
  step = np.array(module._TABLE) / 255
  rounded = np.round(scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho") / step) * step
  expected = scipy.fft.idctn(rounded, axes=(2, 3), norm="ortho").swapaxes(1, 2).reshape(16, 24) + module._MIDDLE
  found = np.asarray(module.jpeg_rounding(jnp.asarray(grey), jnp.ones(1)))[0, ..., 0]
  np.testing.assert_allclose(found, expected, atol=1e-5)
  stream = io.BytesIO()
  Image.fromarray(np.uint8(np.round(grey[0, ..., 0] * 255))).save(stream, "JPEG", quality=50)
  encoded = np.asarray(Image.open(stream)) / 255
  # Its transform is of whole numbers: here and there a coefficient rounds to the other side, and pixels do.
  assert np.abs(found - encoded).mean() < 1 / 255 < np.abs(found - grey[0, ..., 0]).mean() / 5
  np.testing.assert_allclose(module.jpeg_rounding(jnp.asarray(grey), jnp.zeros(1)), grey, atol=1e-5)
  assert module.jpeg_rounding(jnp.asarray(grey[:, :13, :9]), jnp.full(1, 5.0)).shape == (1, 13, 9, 3)
  gradient = jax.grad(lambda x: jnp.sum(module.jpeg_rounding(x, jnp.ones(1))))(jnp.asarray(grey))
  np.testing.assert_allclose(gradient, 1, atol=1e-5)  # straight through an orthonormal transform and back


def test_augment_mixed_channels_alike_grey_picture():
  """Mixed channels are alike and a grey picture stays."""
  image = _images(3, 4, 5, 3)
  mixed = module.mix_channels(jnp.asarray(image), KEY, 1.0)
  np.testing.assert_allclose(mixed[..., 0], mixed[..., 2], atol=1e-6)
  assert (mixed >= image.min(-1, keepdims=True) - 1e-6).all() and (mixed <= image.max(-1, keepdims=True) + 1e-6).all()
  assert np.abs(mixed[0] - image[0].mean(-1, keepdims=True)).max() > 0.01  # weights are drawn, not a third each
  grey = np.repeat(image[..., :1], 3, -1)
  np.testing.assert_allclose(module.mix_channels(jnp.asarray(grey), KEY, 0.5), grey, atol=1e-6)


def test_augment_mixed_channels_grey_service_gradient_alike():
  """A loss that sees grey alone pulls at every channel alike once channels are mixed, and mostly at green without."""
  grey = jnp.array([0.299, 0.587, 0.114])  # Rec. 601
  image = jnp.full((4000, 1, 1, 3), 0.5)

  def pull(share):
    loss = lambda x: jnp.sum(module.mix_channels(x, KEY, share) @ grey)
    return np.asarray(jax.grad(loss)(image)).mean((0, 1, 2))

  np.testing.assert_allclose(pull(0.0), grey, atol=1e-4)  # the mean of 4,000 in float32
  np.testing.assert_allclose(pull(1.0), 1 / 3, atol=0.02)  # 5 standard errors of 4,000 draws from the simplex
