"""The part of a crop that a method changed, put into its frame."""

import numpy as np

from qm_vae.faces import pasting


def test_changed_region_is_convex_and_whole():
  """Pixels inside that are equal by chance belong to the region; an unchanged crop has none."""
  before = np.zeros((40, 40, 3), np.uint8)
  after = before.copy()
  after[10:30, 12:28] = 9
  after[15:20, 15:20] = 0
  region = pasting.changed_region(before, after)
  assert region[10:30, 12:28].all() and region.sum() == 20 * 16
  assert not pasting.changed_region(before, before).any()


def test_blend_region_replaces_all_of_the_region():
  """Inside the region nothing of the frame remains; a little way off it the frame is untouched, bit for bit."""
  random = np.random.default_rng(0)
  frame = random.integers(0, 256, (120, 150, 3)).astype(np.uint8)
  image = np.full((32, 32, 3), 200, np.uint8)
  region = np.zeros((32, 32), bool)
  region[8:24, 10:22] = True
  done = frame.copy()
  pasting.blend_region(done, image, np.array([30, 20, 96]), region)
  inside = np.s_[20 + 8 * 3 : 20 + 24 * 3, 30 + 10 * 3 : 30 + 22 * 3]
  assert (done[inside] == 200).all()
  reach = 8  # a cubic pixel of the crop, and twice the soft edge
  untouched = np.ones(frame.shape[:2], bool)
  untouched[20 + 24 - reach : 20 + 72 + reach, 30 + 30 - reach : 30 + 66 + reach] = False
  np.testing.assert_array_equal(done[untouched], frame[untouched])


def test_blend_region_at_the_border():
  """A crop that reaches outside the frame is cut there; one that lies outside changes nothing."""
  frame = np.zeros((50, 50, 3), np.uint8)
  region = np.ones((16, 16), bool)
  pasting.blend_region(frame, np.full((16, 16, 3), 7, np.uint8), np.array([-10, -10, 32]), region)
  assert (frame[:22, :22] == 7).all() and not frame[24:, 24:].any()
  pasting.blend_region(frame, np.full((16, 16, 3), 99, np.uint8), np.array([60, 60, 32]), region)
  assert frame.max() == 7
