"""The disturbances of the noise floor."""

import numpy as np
import pytest
from skimage import metrics as published

from qm_vae.metrics import floor


def pictures():
  """Smooth pictures uint8 [3, 24, 30, 3]."""
  x = np.cumsum(np.random.default_rng(0).normal(0, 6, (3, 24, 30, 3)), 2) + 128
  return np.clip(x, 0, 255).astype(np.uint8)


def test_noise_floor_shift_moves_every_picture_one():
  """Shift moves every picture by one column."""
  x = pictures()
  np.testing.assert_array_equal(floor.shift(x)[:, :, 1:], x[:, :, :-1])
  np.testing.assert_array_equal(floor.shift(x)[:, :, 0], x[:, :, 0])


def test_noise_floor_jpeg_changes_pictures_little():
  """Jpeg changes pictures a little."""
  x = pictures()
  y = floor.jpeg(x)
  assert (y != x).any()
  assert published.peak_signal_noise_ratio(x, y) > 35  # of quality 95, decibels


@pytest.mark.parametrize("name", floor.DISTURBANCES)
def test_noise_floor_disturbance_keeps_shape_type_input(name):
  """Disturbance keeps shape type and its input."""
  x = pictures()
  before = x.copy()
  y = floor.DISTURBANCES[name](x)
  assert (y.shape, y.dtype) == (x.shape, np.uint8)
  np.testing.assert_array_equal(x, before)
