"""Alignment against SciPy's and OpenCV's interpolation of the same transform."""

import cv2
import jax
import numpy as np
import pytest
import scipy.ndimage

from qm_vae.faces import cropping
from qm_vae.faces.alignment import AVERAGE_EYES, TEMPLATE_EYES, align

TARGET, SIZE = TEMPLATE_EYES[112, 96], (112, 96)
EYES = np.array([[21, 27, 40, 24], [10, 33, 52.5, 41], [40, 30, 23, 26], [2, 2, 62, 3], [-20, 30, -3, 30]], np.float32)
"""As found; tilted; upside down; far apart; outside."""

aligned = jax.jit(jax.vmap(lambda image, eyes: align(image, eyes, TARGET, SIZE)))
IMAGES = np.random.default_rng(0).random((len(EYES), 56, 64, 3), np.float32)


def _matrix(eyes):
  """[2, 3] from output to image, pixel i at i, by least squares as a five-point alignment does it."""
  (x0, y0), (x1, y1) = np.reshape(TARGET, (2, 2)) - 0.5
  rows = [[x0, -y0, 1, 0], [y0, x0, 0, 1], [x1, -y1, 1, 0], [y1, x1, 0, 1]]
  a, b, c, d = np.linalg.solve(rows, eyes.astype(np.float64) - 0.5)
  return np.array([[a, -b, c], [b, a, d]])


def test_alignment_equals_scipy():
  """Equals scipy."""
  found = aligned(IMAGES, EYES)
  row, column = np.mgrid[: SIZE[0], : SIZE[1]]
  for image, eyes, one in zip(IMAGES, EYES, found, strict=True):
    x, y = np.tensordot(_matrix(eyes), np.stack([column, row, np.ones(SIZE)]), 1)
    expected = [scipy.ndimage.map_coordinates(image[..., c], [y, x], order=1, mode="nearest") for c in range(3)]
    # float32 coordinates up to 100: 1e-5 of a pixel, times neighbours that differ by up to 1.
    np.testing.assert_allclose(one, np.stack(expected, -1), atol=5e-5)


def test_alignment_equals_opencv():
  """Equals opencv."""
  smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in IMAGES])
  for image, eyes, one in zip(smooth, EYES, aligned(smooth, EYES), strict=True):
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(image, _matrix(eyes), SIZE[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    # OpenCV rounds coordinates to 1/32 of a pixel; neighbours of the blurred image differ by less than 0.05.
    np.testing.assert_allclose(one, expected, atol=0.05 / 32)


def test_alignment_identity_exact():
  """Identity is exact."""
  found = align(IMAGES[0], np.array([20, 20, 40, 20.0], np.float32), (20, 20, 40, 20), (56, 64))
  np.testing.assert_array_equal(found, IMAGES[0])


@pytest.mark.parametrize(
  "eyes", [[30, 30, 30, 30], [30, 30, 31, 30.5], [np.nan, 30, 40, 30], [10, np.inf, 40, 30], [-3e38, 0, 3e38, 0]]
)
def test_alignment_impossible_eyes_give_average_face(eyes):
  """Impossible eyes give the average face."""
  average = np.array(AVERAGE_EYES, np.float32) * [64, 56, 64, 56]
  found = aligned(IMAGES[:1], np.array([eyes], np.float32))
  np.testing.assert_array_equal(found, aligned(IMAGES[:1], average[None].astype(np.float32)))


def test_alignment_average_crops():
  """Average is that of the crops."""
  found = cropping.find_eyes(np.zeros((64, 64, 3), np.uint8), cropping.Settings(eyes="average"))
  np.testing.assert_allclose(found / 64, AVERAGE_EYES, atol=1e-4)  # four decimals are written


def test_alignment_gradient_transpose():
  """Gradient is the transpose."""
  out, back = jax.vjp(lambda images: aligned(images, EYES), IMAGES)
  weight = np.random.default_rng(1).random(out.shape, np.float32)
  (gradient,) = back(weight)
  # Linear in the image: <A x, w> = <x, A' w>; float32 sums of 160 thousand products of about 1/4.
  np.testing.assert_allclose(np.vdot(out, weight), np.vdot(IMAGES, gradient), rtol=1e-4)
  of_eyes = jax.grad(lambda eyes: aligned(IMAGES, eyes).sum())(np.concatenate([EYES[:4], np.full((1, 4), np.nan)]))
  np.testing.assert_array_equal(of_eyes, np.zeros((5, 4)))
