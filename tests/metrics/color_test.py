"""Colour against scikit-image, and the skin of a drawn face."""

import numpy as np
import pytest
from skimage import color as published

from qm_vae.metrics import color

EYES = np.array([[30.0, 40, 70, 40]])


def test_color_lab_equals_scikit_image():
  """Lab equals scikit image."""
  random = np.random.default_rng(0)
  image = random.integers(0, 256, (4, 50, 50, 3), np.uint8)
  image[0, 0, :2] = [[0, 0, 0], [255, 255, 255]]
  # scikit-image rounds the sRGB matrix to six decimals.
  np.testing.assert_allclose(color.lab(image), published.rgb2lab(image), atol=5e-3)
  np.testing.assert_allclose(color.lab(image / 255), color.lab(image), atol=1e-9)


def test_color_luminance_equals_scikit_image():
  """Luminance equals scikit image."""
  image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
  np.testing.assert_allclose(color.luminance(image), published.rgb2xyz(image)[..., 1], atol=1e-5)


def test_delta_e_equals_scikit_image():
  """All over the gamut, near grey, and across the hue's turn at 0 degrees."""
  random = np.random.default_rng(2)
  a, b = random.uniform([0, -90, -90], [100, 90, 90], (2, 3000, 3))
  b[1000:2000] = a[1000:2000] + random.normal(0, 2, (1000, 3))
  a[2000:, 1:] *= 0.01
  a[:2, 1:] = 0
  b[:1, 1:] = 0
  np.testing.assert_allclose(color.delta_e(a, b), published.deltaE_ciede2000(a, b), rtol=1e-7, atol=1e-7)


def test_delta_e_published_pairs():
  """Pairs 1, 10 and 17 of Sharma et al. 2005, Table 1, printed to four decimals."""
  a = np.array([[50, 2.6772, -79.7751], [50, -0.0010, 2.4900], [50, 2.5, 0]])
  b = np.array([[50, 0, -82.7485], [50, 0.0009, -2.4900], [73, 25, -18]])
  np.testing.assert_allclose(color.delta_e(a, b), [2.0425, 4.8045, 27.1492], atol=5e-5)


def test_skin_reads_the_cheeks_alone():
  """A face of one colour with other colours in eyes, mouth, hair and background."""
  image = np.full((1, 100, 100, 3), (20, 90, 200), np.uint8)
  image[:, 46:78, 18:82] = (210, 160, 140)
  np.testing.assert_allclose(color.skin(image, EYES), color.lab(np.uint8([[210, 160, 140]])))
  darker = (image * 0.8).astype(np.uint8)
  expected = color.delta_e(color.lab(np.uint8([210, 160, 140])), color.lab(darker[0, 60, 50]))
  np.testing.assert_allclose(color.skin_difference(image, darker, EYES), [expected])
  np.testing.assert_array_equal(color.skin_difference(image, image, EYES), [0])


def test_skin_follows_eyes_that_lean():
  """With the eyes above one another the cheeks lie beside them."""
  image = np.zeros((1, 100, 100, 3), np.uint8)
  image[:, 18:82, 22:54] = (210, 160, 140)  # left of the line of the eyes: down, for eyes one below the other
  np.testing.assert_allclose(color.skin(image, np.array([[60.0, 30, 60, 70]])), color.lab(np.uint8([[210, 160, 140]])))


@pytest.mark.parametrize(
  ("eyes", "message"),
  [([300, 300, 340, 300], "outside"), ([30, 40, 30.5, 40], "less than a pixel"), ([30, np.nan, 70, 40], "not finite")],
)
def test_color_skin_refuses_eyes_place_no(eyes, message):
  """Skin refuses eyes that place no face."""
  with pytest.raises(ValueError, match=message):
    color.skin(np.zeros((1, 100, 100, 3), np.uint8), np.array([eyes], float))
