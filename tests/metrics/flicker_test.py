"""Flicker against clips whose differences are known."""

import numpy as np
import pytest

from qm_vae.metrics import flicker


def clip(levels):
  """uint8 [T, 6, 8, 3] flat frames of these levels."""
  return np.broadcast_to(np.uint8(levels)[:, None, None, None], (len(levels), 6, 8, 3)).copy()


def test_flicker_frame_difference_flat_frames():
  """Frame difference of flat frames."""
  np.testing.assert_allclose(flicker.frame_difference(clip([10, 14, 9, 250, 0])), [4, 5, 241, 250])


def test_flicker_frame_difference_inside_mask():
  """Frame difference inside a mask."""
  frames, mask = clip([10, 10, 10]), np.zeros((6, 8), bool)
  mask[2:4, 2:4] = True
  frames[1, 2, 2] = 30  # one of four pixels
  np.testing.assert_allclose(flicker.frame_difference(frames, mask), [5, 5])
  moving = np.stack([mask, mask, ~mask])
  np.testing.assert_allclose(flicker.frame_difference(frames, moving), [5, 0])


def test_flicker_ratio_sums():
  """Flicker is the ratio of sums."""
  before, after = clip([10, 12, 14, 12, 13]), clip([10, 20, 10, 20, 10])
  found = flicker.flicker(before, after)
  np.testing.assert_allclose(found["value"], 40 / 7)
  assert found["n"] == 4
  np.testing.assert_allclose([found["low"], found["high"]], 40 / 7)  # one block holds the whole clip


def test_flicker_clip_itself_one():
  """Flicker of the clip itself is one."""
  before = clip(np.random.default_rng(0).integers(0, 256, 60))
  found = flicker.flicker(before, before)
  np.testing.assert_allclose([found["value"], found["low"], found["high"]], 1)


def test_flicker_interval_covers():
  """Of 60 clips whose differences are 1 to 9 levels, and twice that after, 50 or more intervals hold the ratio 2."""
  random = np.random.default_rng(1)
  levels = lambda steps: np.concatenate([[0], np.cumsum(steps * np.resize([1, -1], len(steps)))]) + 100
  held = 0
  for seed in range(60):
    small = random.integers(1, 10, 100)
    large = 2 * random.permutation(small) + random.integers(-1, 2, 100)
    found = flicker.flicker(clip(levels(small)), clip(levels(large)), seed=seed, resamples=300)
    held += found["low"] <= 2 <= found["high"]
  assert held >= 50


def test_flicker_still_original_not_number():
  """Flicker of a still original is not a number."""
  assert np.isnan(flicker.flicker(clip([5, 5, 5]), clip([5, 6, 5]))["value"])


@pytest.mark.parametrize(
  ("before", "after", "mask", "message"),
  [
    (clip([1]), clip([1]), None, "two frames"),
    (clip([1, 2]), clip([1, 2, 3]), None, "same frames"),
    (clip([1, 2]), clip([1, 2]), np.zeros((6, 8)), "empty"),
    (clip([1, 2]), clip([1, 2]), np.ones((6, 7)), "give \\[H, W\\]"),
  ],
)
def test_flicker_refuses(before, after, mask, message):
  """Flicker refuses."""
  with pytest.raises(ValueError, match=message):
    flicker.flicker(before, after, mask)
