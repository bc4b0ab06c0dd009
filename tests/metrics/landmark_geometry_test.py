"""Landmark errors and openings against heads whose pose and expression are known."""

import numpy as np
import pytest

from qm_vae.metrics import geometry, head_shape, pose

# A whole head: the average one, with places that are only plausible for the points whose depth alone it knows.
HEAD = pose.HEAD.copy()
HEAD[:17] = np.stack(
  [7 * -np.cos(np.pi * np.arange(17) / 16), 7.4 * np.sin(np.pi * np.arange(17) / 16), 3 * np.ones(17)], -1
)
HEAD[17:22, :2] = np.stack([np.linspace(-6.83, -1.33, 5), [-6.76, -7.4, -7.7, -7.5, -7.12]], -1)
HEAD[27:31] = np.stack([np.zeros(4), np.linspace(-5.4, -2.2, 4), np.linspace(-5.5, -8.5, 4)], -1)
HEAD[31:36] = np.stack([np.linspace(-2.005628, 2.005628, 5), np.full(5, -1.409845), np.full(5, -6.165652)], -1)
HEAD[36:42, :2] = [(-5.31, -5.49), (-4.2, -6), (-3, -6), (-1.79, -5.39), (-3, -5), (-4.2, -5)]
HEAD[48:55, :2] = np.stack([np.linspace(-2.774015, 2.774015, 7), [2.080775, 1.5, 1.2, 1.3, 1.2, 1.5, 2.080775]], -1)
HEAD[55:60, :2] = np.stack([np.linspace(1.85, -1.85, 5), [2.7, 3, 3.116408, 3, 2.7]], -1)
HEAD[60:65, :2] = np.stack([np.linspace(-2.2, 2.2, 5), [2.08, 1.9, 1.9, 1.9, 2.08]], -1)
HEAD[65:, :2] = [(1.1, 2.3), (0, 2.3), (-1.1, 2.3)]
for right, left in ((slice(22, 27), range(21, 16, -1)), (slice(42, 48), [39, 38, 37, 36, 41, 40])):
  HEAD[right, :2] = HEAD[list(left), :2] * (-1, 1)
WHOLE = np.isfinite(pose.HEAD).all(-1)
HEAD[WHOLE] = pose.HEAD[WHOLE]


def seen(head, yaw=0.0, pitch=0.0, roll=0.0, scale=6.0, shift=(60.0, 70.0)):
  """[68, 2] landmarks of a head [68, 3] in weak perspective; degrees."""
  y, p, r = np.radians([yaw, pitch, roll])
  about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
  about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
  about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
  return scale * (head @ (about_z @ about_y @ about_x).T)[:, :2] + shift


def with_open_mouth(by):
  """The head with its inner lower lip lowered: the points of pose, and the lip's outline, stay."""
  head = HEAD.copy()
  head[65:68, 1] += by
  return head


def many(n=200, seed=0, spread=(30, 15, 10), noise=0.0, head=HEAD):
  """[N, 68, 2] landmarks in random poses and sizes."""
  random = np.random.default_rng(seed)
  points = [seen(head, *random.normal(0, spread), scale=random.uniform(3, 8)) for _ in range(n)]
  return np.stack(points) + noise * random.standard_normal((n, 68, 2))


def test_landmark_geometry_error_mean_distance_over_eye():
  """Landmark error is the mean distance over the eye distance."""
  original = seen(HEAD)
  output = original.copy()
  output[48:68] += (3.0, 4.0)
  found = geometry.landmark_error(original[None], output[None])
  apart = np.hypot(*(original[36:42].mean(0) - original[42:48].mean(0)))
  np.testing.assert_allclose(found.mouth, [5 / apart])
  np.testing.assert_allclose(found.whole, [5 * 20 / 68 / apart])
  np.testing.assert_array_equal([found.brows, found.eyes], 0)


def test_landmark_error_takes_the_originals_scale():
  """Normalised by the original: twice the picture, the same error; swapped, another."""
  original = seen(HEAD)
  output = original * 1.1
  ratio = geometry.landmark_error(original, output).whole / geometry.landmark_error(output, original).whole
  np.testing.assert_allclose(ratio, 1.1)
  doubled = geometry.landmark_error(2 * original, 2 * output)
  np.testing.assert_allclose(doubled, geometry.landmark_error(original, output))


@pytest.mark.parametrize("change", [{"yaw": 35}, {"pitch": -20}, {"roll": 25}, {"scale": 11}, {"shift": (-40, 9)}])
def test_expression_error_ignores_pose_and_place(change):
  """The same face, turned, leaning, larger or elsewhere: landmarks move, the expression does not."""
  original, output = seen(HEAD)[None], seen(HEAD, **change)[None]
  assert geometry.landmark_error(original, output).whole > 0.05
  np.testing.assert_allclose(geometry.expression_error(original, output), 0, atol=1e-6)  # as exact as the fit


@pytest.mark.parametrize("yaw", [0, -30])
def test_expression_error_finds_an_open_mouth_in_any_pose(yaw):
  """Three inner points lowered by one unit: 3 of 20 points of the mouth, none of brows and eyes."""
  found = geometry.expression_error(seen(HEAD)[None], seen(with_open_mouth(1.0), yaw=yaw, pitch=10)[None])
  apart = geometry.eye_distance(HEAD[:, :2])
  np.testing.assert_allclose(found.mouth, [3 / 20 / apart], rtol=1e-6)
  np.testing.assert_allclose(found.whole, [3 / 42 / apart], rtol=1e-6)
  np.testing.assert_allclose([found.brows, found.eyes], 0, atol=1e-6)


def test_frontal_gives_the_head_back():
  """Where depth is known, the frontal place in the head's own units; NaN on the jaw."""
  found = geometry.frontal(many(20))
  known = np.isfinite(pose.HEAD[:, 2])
  np.testing.assert_allclose(found[:, known], np.broadcast_to(HEAD[known, :2], (20, known.sum(), 2)), atol=1e-5)
  assert np.isnan(found[:, 0]).all()


def test_landmark_geometry_openings_aspect_ratios():
  """Openings are aspect ratios."""
  points = np.zeros((68, 2))
  points[36:42] = [(0, 0), (1, -1), (2, -1), (3, 0), (2, 1), (1, 1)]
  points[42:48] = [(5, 0), (6, 0), (7, 0), (8, 0), (7, 0), (6, 0)]
  points[60:68] = [(0, 9), (1, 8), (2, 8), (3, 8), (4, 9), (3, 10), (2, 11), (1, 10)]
  found = geometry.openings(points)
  np.testing.assert_allclose(found.eyes, [2 / 3, 0])
  np.testing.assert_allclose(found.mouth, (2 + 3 + 2) / 3 / 4)


def test_landmark_geometry_opening_difference_opened_mouth():
  """Opening difference of an opened mouth."""
  original, output = seen(HEAD), seen(with_open_mouth(1.0))
  found = geometry.opening_difference(original[None], output[None])
  assert found.eyes.shape == (1, 2)
  np.testing.assert_allclose(found.eyes, 0, atol=1e-12)
  np.testing.assert_allclose(found.mouth, 1 / 4.4)


def test_landmark_geometry_refuses_no_pair():
  """Geometry refuses what is no pair."""
  points = np.stack([seen(HEAD)] * 2)
  with pytest.raises(ValueError, match="give the same faces"):
    geometry.landmark_error(points, points[:1])
  with pytest.raises(ValueError, match="not finite"):
    geometry.expression_error(points, points * np.nan)


def test_head_shape_recovers_a_head_that_is_not_the_average():
  """From 200 noiseless faces, up to the frame: a flatter head with a wider mouth."""
  other = HEAD * (1, 1, 0.8)
  other[48:68, 0] *= 1.2
  found = head_shape.estimate(many(200, head=other))
  known = head_shape.CHOSEN
  # The frame (scale, turn about x, shift) is free: compare after the best of each, by Procrustes with scale.
  a, b = found[known] - found[known].mean(0), other[known] - other[known].mean(0)
  u, s, v = np.linalg.svd(a.T @ b)
  np.testing.assert_allclose(a @ u @ v * (s.sum() / np.square(a).sum()), b, atol=0.05)  # ten rounds of alternation
  assert np.isnan(found[:8]).all()
  np.testing.assert_allclose(found[known], found[head_shape.MIRROR][known] * (-1, 1, 1), atol=1e-9)


def test_head_shape_lessens_what_pose_leaves_in_the_expression():
  """For people flatter than the average, the estimated head tells pose from expression better than the average."""
  other = HEAD * (1, 1, 0.75)
  random = np.random.default_rng(1)
  turns = random.normal(0, (25, 12, 5), (100, 3))
  turned = np.stack([seen(other, *turn) for turn in turns])
  front = np.stack([seen(other)] * 100)
  by_average = geometry.expression_error(front, turned).whole.mean()
  by_own = geometry.expression_error(front, turned, head_shape.estimate(turned)).whole.mean()
  assert by_own < 0.3 * by_average


@pytest.mark.parametrize(
  ("points", "message"),
  [(many(20), "at least 50"), (many(60, spread=(1, 1, 20)), "more poses")],
)
def test_landmark_geometry_head_shape_refuses_faces_show(points, message):
  """Head shape refuses faces that show no depth."""
  with pytest.raises(ValueError, match=message):
    head_shape.estimate(points)
