"""Fine detail against waves of known frequency and against Parseval's sum."""

import numpy as np
import pytest
from scipy import ndimage

from qm_vae.metrics import color, face_region, sharpness

EYES = np.array([[44.0, 50, 84, 50]])


def wave(cycles_per_pixel, amplitude=40):
  """uint8 [1, 128, 128, 3] a grey wave along x."""
  values = 128 + amplitude * np.sin(2 * np.pi * cycles_per_pixel * np.arange(128))
  return np.broadcast_to(np.rint(values).astype(np.uint8)[:, None], (1, 128, 128, 3))


def picture(seed=0):
  """uint8 [1, 128, 128, 3] noise that falls off with frequency."""
  x = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((128, 128, 3)), (1, 1, 0))
  return np.clip(128 + 120 * x, 0, 255).astype(np.uint8)[None]


@pytest.mark.parametrize(("cycles", "share"), [(0.1, 0.0), (0.2, 0.0), (0.3, 1.0), (0.4, 1.0)])
def test_detail_splits_at_half_of_nyquist(cycles, share):
  """Half of Nyquist is 0.25 cycles a pixel; the window blurs a wave's line by less than 0.02."""
  image = wave(cycles)
  found = sharpness.detail(image, EYES) / sharpness.detail(image, EYES, above=0)
  np.testing.assert_allclose(found, [share], atol=0.02)  # gamma's overtones and 8 bits


def test_detail_of_everything_is_the_windowed_energy():
  """Parseval: over all frequencies the mean square under the window."""
  image = picture()
  window = face_region.radius(EYES[0], (128, 128))
  window = np.where(window < 1, np.cos(np.pi / 2 * np.minimum(window, 1)) ** 2, 0)
  lightness = color.lab(image[0])[..., 0]
  centred = lightness - np.average(lightness, weights=window)
  expected = np.square(window * centred).sum() / np.square(window).sum()
  np.testing.assert_allclose(sharpness.detail(image, EYES, above=0), [expected], rtol=1e-9)


def test_sharpness_detail_kept_blur_copy_noise():
  """Detail kept by blur copy and noise."""
  image = picture()
  blurred = np.rint(ndimage.gaussian_filter(image.astype(float), (0, 1, 1, 0))).astype(np.uint8)
  noisy = np.clip(image + np.random.default_rng(1).normal(0, 20, image.shape), 0, 255).astype(np.uint8)
  np.testing.assert_array_equal(sharpness.detail_kept(image, image, EYES), [1])
  assert sharpness.detail_kept(image, blurred, EYES)[0] < 0.2
  assert sharpness.detail_kept(image, noisy, EYES)[0] > 1.5


def test_sharpness_detail_ignores_lies_outside_face():
  """Detail ignores what lies outside the face."""
  image = picture()
  other = np.where(face_region.radius(EYES[0], (128, 128))[None, ..., None] < 1, image, picture(1))
  np.testing.assert_array_equal(sharpness.detail(image, EYES), sharpness.detail(other, EYES))


def test_sharpness_detail_kept_flat_original_not():
  """Detail kept of a flat original is not a number."""
  flat = np.full((1, 128, 128, 3), 90, np.uint8)
  assert sharpness.detail(flat, EYES)[0] < 1e-20  # rounding of the transform
  assert sharpness.detail_kept(flat, picture(), EYES)[0] > 1e6


@pytest.mark.parametrize(("eyes", "above", "message"), [(EYES + 900, 0.5, "outside"), (EYES, 1.0, "share in")])
def test_sharpness_detail_refuses(eyes, above, message):
  """Detail refuses."""
  with pytest.raises(ValueError, match=message):
    sharpness.detail(picture(), eyes, above)
