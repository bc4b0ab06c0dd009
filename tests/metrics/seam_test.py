"""Seams against pictures whose steps are known."""

import numpy as np
import pytest

from qm_vae.metrics import seam


def square(height=40, width=50):
  mask = np.zeros((height, width), bool)
  mask[12:28, 15:35] = True
  return mask


def noise(seed=0, n=2):
  return np.random.default_rng(seed).integers(60, 190, (n, 40, 50, 3), np.uint8)


def test_seam_of_a_step_in_a_flat_picture():
  """A region 30 levels brighter: (30 + 1) / (0 + 1)."""
  image = np.full((1, 40, 50, 3), 100, np.uint8)
  image[0, square()] = 130
  np.testing.assert_allclose(seam.seam(image, square()), [31])


def test_seam_of_a_step_on_a_ramp():
  """On a slope of 3 levels a pixel along x the step of 20 adds to one side, and takes from the other."""
  image = np.broadcast_to((3 * np.arange(50))[:, None], (40, 50, 3)).astype(np.uint8)[None].copy()
  image[0, square()] += 20
  left_right = 16 * (23 + 17)  # pairs along x at both edges
  up_down = 2 * 20 * 20
  pairs = 2 * 16 + 2 * 20
  expected = ((left_right + up_down) / pairs + 1) / (2 * 16 * 3 / pairs + 1)
  np.testing.assert_allclose(seam.seam(image, square()), [expected])


def test_seam_is_one_where_there_is_none():
  """A flat picture and a plain ramp exactly; noise on average (0.05 from picture to picture)."""
  ramp = np.broadcast_to((4 * np.arange(50))[:, None], (1, 40, 50, 3)).astype(np.uint8)
  np.testing.assert_allclose(seam.seam(ramp, square()), [1])
  np.testing.assert_allclose(seam.seam(np.zeros((1, 40, 50, 3), np.uint8), square()), [1])
  np.testing.assert_allclose(seam.seam(noise(n=100), square()).mean(), 1, atol=0.02)


def test_seam_takes_mask_per_picture_any():
  """Seam takes a mask per picture and in any form."""
  image, masks = noise(), np.stack([square(), np.roll(square(), 5, 1)])
  found = seam.seam(image, masks)
  np.testing.assert_array_equal(found, seam.seam(image, masks[..., None].astype(np.uint8)))
  np.testing.assert_array_equal(found[:1], seam.seam(image[:1], square()))
  np.testing.assert_array_equal(seam.seam(image, square()), seam.seam(image, ~square()))


def test_seam_at_the_border_counts_the_pairs_that_exist():
  """A region of one column at the left border: there are pairs on one side only."""
  mask = np.zeros((40, 50), bool)
  mask[:, 0] = True
  image = np.full((1, 40, 50, 3), 100, np.uint8)
  image[:, :, 0] = 110
  np.testing.assert_allclose(seam.seam(image, mask), [11])


@pytest.mark.parametrize("filled", [False, True])
def test_seam_without_edge_not_number(filled):
  """Seam without an edge is not a number."""
  assert np.isnan(seam.seam(noise(), np.full((40, 50), filled))).all()


@pytest.mark.parametrize(
  ("mask", "message"), [(np.zeros((3, 40, 50)), "give \\[N, H, W, 3\\]"), (np.full((40, 50), 0.5), "half its weight")]
)
def test_seam_refuses_masks(mask, message):
  """Seam refuses masks."""
  with pytest.raises(ValueError, match=message):
    seam.seam(noise(), mask)
