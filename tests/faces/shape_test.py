"""Similarities, the shape model and the descriptor against what they must give by construction."""

import jax.numpy as jnp
import numpy as np

from qm_vae.faces import shape
from tests.support.landmarks import frontal


def turned(points, angle, scale, shift):
  """Points under a rotation, a scale and a shift."""
  turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
  return (scale * points @ turn.T + shift).astype(np.float32)


def test_similarity_finds_the_one_that_was_applied():
  """Rotation, scale and shift come back, and the inverse undoes them."""
  points = frontal(64)
  moved = turned(points, 0.4, 1.7, (5, -3))
  matrix = shape.similarity(jnp.asarray(points), jnp.asarray(moved))
  np.testing.assert_allclose(shape.transform(matrix, points), moved, atol=1e-3)  # float32 at 100 pixels
  np.testing.assert_allclose(shape.transform(shape.inverse(matrix), moved), points, atol=1e-3)


def test_similarity_of_coinciding_points_is_a_shift():
  """Points without extent give neither scale nor rotation, and no NaN."""
  matrix = shape.similarity(jnp.full((5, 2), 3.0), jnp.full((5, 2), 7.0))
  np.testing.assert_allclose(matrix, [[1, 0, 4], [0, 1, 4]], atol=1e-6)


def test_fit_puts_the_mean_on_the_canonical_eyes():
  """Faces of any place and size have the canonical eyes in the mean."""
  random = np.random.default_rng(0)
  faces = [turned(frontal(64), a, s, (3, 4)) for a, s in random.uniform((-0.3, 0.6), (0.3, 1.4), (20, 2))]
  model = shape.fit(np.stack(faces), 48, 4)
  np.testing.assert_allclose(shape.eyes_of(model.mean), shape.canonical_eyes(48), atol=1e-2)


def test_project_keeps_what_the_model_has_seen():
  """A mouth that opens is one component: it survives the projection, a nose elsewhere does not."""
  faces = np.stack([frontal(64, mouth_open=m) for m in np.linspace(0, 0.2, 12)])
  model = shape.fit(faces, 64, 1)
  told = np.asarray(shape.project(model, np.asarray(model.mean) + model.deviation[0] * model.basis[0].reshape(68, 2)))
  np.testing.assert_allclose(told, model.mean + model.deviation[0] * model.basis[0].reshape(68, 2), atol=1e-3)
  torn = np.array(model.mean)
  torn[30] += 20
  assert np.abs(np.asarray(shape.project(model, torn))[30] - model.mean[30]).max() < 2


def test_project_limits_each_component():
  """Beyond 3 standard deviations a component is cut, so that a mistaken landmark does not tear the face."""
  model = shape.fit(np.stack([frontal(64, mouth_open=m) for m in np.linspace(0, 0.2, 12)]), 64, 1)
  direction = model.deviation[0] * model.basis[0].reshape(68, 2)
  np.testing.assert_allclose(shape.project(model, model.mean + 9 * direction), model.mean + 3 * direction, atol=1e-3)


def test_descriptor_does_not_depend_on_place_size_and_roll():
  """A face that is moved, scaled and rolled is described alike."""
  points = frontal(64, mouth_open=0.1)
  np.testing.assert_allclose(shape.descriptor(points), shape.descriptor(turned(points, 0.5, 0.4, (30, 2))), atol=1e-4)


def test_descriptor_tells_an_open_mouth_and_a_turn():
  """Opening the mouth raises the last number; moving the nose sideways changes the first alone."""
  closed, opened = (np.asarray(shape.descriptor(frontal(64, mouth_open=m))) for m in (0.0, 0.1))
  assert opened[4] > closed[4] + 0.3
  points = frontal(64)
  points[30, 0] += 4
  difference = np.abs(np.asarray(shape.descriptor(points)) - closed)
  assert difference[0] > 0.05 and difference[1:].max() < 1e-4
