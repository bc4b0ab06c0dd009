"""Faces taken out of their surroundings."""

import dataclasses

import numpy as np
import pytest

from qm_vae.metrics import face_region
from qm_vae.privacy import contract, surroundings

EYES = np.float32([10, 12, 22, 12])
SHAPE = (32, 32)


@pytest.fixture
def pairs():
  random = np.random.default_rng(0)
  image = random.integers(0, 256, (5, *SHAPE, 3)).astype(np.uint8)
  eyes = np.tile(EYES, (5, 1))
  names = tuple(map(str, range(5)))
  return contract.Pairs(image, image, eyes, eyes, np.arange(5, dtype=np.int32), names, image)


@pytest.mark.parametrize("way", surroundings.WITHOUT)
def test_without_keeps_what_is_around(pairs, way):
  """Far outside the oval the pictures stay; inside, none of a single face is left."""
  made = surroundings.WITHOUT[way](pairs).protected
  radius = face_region.radius(EYES, SHAPE)
  np.testing.assert_array_equal(made[:, radius > 1.25], pairs.protected[:, radius > 1.25])
  other = pairs.protected.copy()
  other[0][radius <= 1] = 255 - other[0][radius <= 1]
  changed = surroundings.WITHOUT[way](dataclasses.replace(pairs, protected=other)).protected
  # The average holds a fifth of each of five faces; a grey oval, and another person's face, nothing.
  limit = {"blanked": 0, "averaged": 255 / 5 + 1, "exchanged": 0}[way]
  assert np.abs(made.astype(int) - changed)[0, radius <= 1].max() <= limit


def test_average_face_is_the_same_for_all_in_the_colour_around(pairs):
  """Pictures of one grey each: the oval joins them, and shows one face in each picture's own grey."""
  radius = face_region.radius(EYES, SHAPE)
  grey = np.uint8([60, 90, 120, 150, 180])
  image = np.broadcast_to(grey[:, None, None, None], pairs.protected.shape).copy()
  pattern = np.where(radius <= 0.8, 40, 0).astype(np.uint8)[..., None]
  made = surroundings.with_average_face(dataclasses.replace(pairs, protected=image + pattern)).protected
  offset = made.astype(int) - grey[:, None, None, None]
  assert np.abs(offset - offset[0]).max() <= 1  # rounding
  assert np.abs(offset[:, radius > 1.1]).max() <= 1 and offset[:, radius < 0.6].min() > 20


def test_faces_without_eyes_are_taken_to_be_where_eyes_are_on_average(pairs):
  """Eyes that nobody found say nothing; the picture still loses its middle."""
  lost = dataclasses.replace(pairs, eyes=np.full((5, 4), np.nan, np.float32))
  made = surroundings.without_face(lost).protected
  assert (made[:, 16, 16] == surroundings.GREY).all()


def test_other_face_is_somebody_elses(pairs):
  """Every oval shows a face, as bright as that of its donor, and never one of the same person."""
  radius = face_region.radius(EYES, SHAPE)
  identity = np.int32([0, 0, 0, 1, 2])
  inside = np.float32([100, 100, 100, 160, 220])  # tells the person; around the ovals all are alike
  image = np.where(radius[..., None] <= 0.9, inside[:, None, None, None], 50) * np.ones((5, *SHAPE, 3))
  given = dataclasses.replace(pairs, protected=image.astype(np.uint8), identity=identity)
  made = surroundings.with_other_face(given).protected
  shown = made[:, radius < 0.5].reshape(5, -1).astype(float).mean(1)
  distance = np.abs(shown[:, None] - np.float32([100, 160, 220]))
  assert distance.min(1).max() < 10
  assert (distance.argmin(1) != identity).all()


def test_other_face_of_one_person_alone_is_blanked(pairs):
  """Where there is nobody else, nobody's face is shown."""
  made = surroundings.with_other_face(dataclasses.replace(pairs, identity=np.zeros(5, np.int32))).protected
  assert (made[:, 16, 16] == surroundings.GREY).all()
