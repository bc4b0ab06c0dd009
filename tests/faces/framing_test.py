"""Boxes from landmarks, and whether they are of the face that a detector found."""

import numpy as np

from qm_vae.faces import cropping, framing
from tests.support.landmarks import frontal


def test_box_of_puts_the_eyes_where_the_cascade_does():
  """In the box's shares the eyes of a frontal face are those of cropping.EYES."""
  points = frontal(100) + (40, 20)
  x, y, width, height = framing.box_of(points)
  assert width == height
  left, right = points[36:42].mean(0), points[42:48].mean(0)
  found = [(left[0] - x) / width, (left[1] - y) / height, (right[0] - x) / width, (right[1] - y) / height]
  np.testing.assert_allclose(found, cropping.EYES, atol=0.01)  # EYES are not quite symmetric


def test_box_of_a_profile_is_no_smaller_than_the_face():
  """Where the eyes nearly coincide, the box still holds brow and chin."""
  points = frontal(100)
  points[:, 0] = 50 + 0.2 * (points[:, 0] - 50)
  _, _, side, _ = framing.box_of(points)
  assert side >= np.ptp(points[:, 1])


def test_agree_refuses_boxes_of_different_faces():
  """Boxes of one face agree; those beside each other, or of other sizes, do not."""
  box = np.array([10.0, 10, 40, 40])
  assert framing.agree(box, box + (3, -2, 4, 8))
  assert not framing.agree(box, box + (30, 0, 0, 0))
  assert not framing.agree(box, np.array([25.0, 25, 10, 10]))
