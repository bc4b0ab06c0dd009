"""The 68 landmarks of drawn faces stand where the faces are drawn."""

import numpy as np
import pytest

from qm_vae.data import synthetic
from qm_vae.faces import shape
from qm_vae.metrics import geometry
from qm_vae.types import EXPRESSIONS


@pytest.fixture(scope="module")
def drawn():
  source = synthetic.make(num_people=70, images_per_person=1, frame_size=96)
  return source, np.stack([source.landmarks_68(i) for i in range(len(source))])


def test_drawn_landmarks_eyes_where_eyes_are(drawn):
  """The centres of the lids' points are at the eyes, to a tenth of the eyes' distance."""
  source, points = drawn
  truth = np.stack([source.landmarks(i)["eyes"] for i in range(len(source))])
  off = np.abs(np.asarray(shape.eyes_of(points)) - truth)
  assert points.shape == (70, 68, 2) and points.dtype == np.float32
  assert (off.max(1) < 0.1 * (truth[:, 2] - truth[:, 0])).all()


def test_drawn_landmarks_in_order(drawn):
  """Jaw and brows run from the image's left to its right; brows, eyes, nose and mouth lie one below the other."""
  _, points = drawn
  assert (np.diff(points[:, 3:14, 0]) > 0).all() and (np.diff(points[:, 17:27, 0]) > 0).all()
  parts = (geometry.BROWS, geometry.EYES, slice(31, 36), geometry.MOUTH)
  heights = np.stack([points[:, part, 1].mean(1) for part in parts], 1)
  assert (np.diff(heights) > 0).all() and (points[:, 8, 1] > points[:, geometry.MOUTH, 1].max(1)).all()


def test_drawn_landmarks_follow_expression(drawn):
  """Surprise opens the mouth, and a neutral face has it closed."""
  source, points = drawn
  label = np.array([source.factors(i)[3] for i in range(len(source))])
  apart = lambda a, b: np.linalg.norm(points[:, a] - points[:, b], axis=-1)
  opening = apart(62, 66) / apart(48, 54)
  surprised, neutral = (opening[label == EXPRESSIONS.index(name)] for name in ("surprise", "neutral"))
  assert surprised.min() > 0.2 > neutral.max()


def test_drawn_landmarks_scale_with_frame(drawn):
  """Landmarks of a frame twice as large are twice as far from its corner."""
  _, points = drawn
  large = synthetic.make(num_people=70, images_per_person=1, frame_size=192)
  np.testing.assert_allclose(large.landmarks_68(3), 2 * points[3], rtol=1e-5)
