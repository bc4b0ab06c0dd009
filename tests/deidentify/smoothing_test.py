"""Landmarks smoothed over time."""

import numpy as np

from qm_vae.deidentify.tracking.smoothing import Smoother
from tests.support.landmarks import frontal

FACE = frontal(64)
UNIT = np.linalg.norm(FACE[42:48].mean(0) - FACE[36:42].mean(0))


def smoothed(clip, track=1):
  smoother = Smoother()
  return np.stack([smoother(track, points) for points in clip])


def test_smoother_takes_tremble_away_from_a_still_face():
  """Of independent noise on a still face little is left, and the face stays where it is."""
  noise = np.random.default_rng(0).normal(0, 0.03 * UNIT, (100, 68, 2))
  made = smoothed(FACE + noise)[20:]
  assert np.abs(np.diff(made, axis=0)).mean() < 0.5 * np.abs(np.diff(noise[20:], axis=0)).mean()
  assert np.abs(made.mean(0) - FACE).mean() < 0.01 * UNIT


def test_smoother_follows_a_head_and_a_mouth():
  """A head that crosses the picture lags behind by little, and so does a mouth that opens."""
  walk = FACE + np.arange(60)[:, None, None] * np.array([0.15 * UNIT, 0])
  assert np.linalg.norm(smoothed(walk)[10:] - walk[10:], axis=-1).max() < 0.06 * UNIT
  talk = np.repeat(FACE[None], 60, 0)
  talk[:, 57, 1] += 0.3 * UNIT * (1 - np.cos(np.arange(60) * 2 * np.pi / 15)) / 2
  error = np.abs(smoothed(talk) - talk)[15:, 57, 1]
  assert error.mean() < 0.06 * UNIT


def test_smoother_begins_anew_with_a_jump_another_track_and_after_forgetting():
  """What is far away, of another track, or comes after a gap, is not mixed with what was."""
  smoother, far = Smoother(), FACE + 2 * UNIT
  smoother(1, FACE)
  np.testing.assert_array_equal(smoother(1, far), far)
  np.testing.assert_array_equal(smoother(2, FACE), FACE)
  near = FACE + 0.1 * UNIT
  assert not np.allclose(smoother(2, near), near)
  smoother.forget(2)
  np.testing.assert_array_equal(smoother(2, FACE), FACE)
