"""The aligned mean of an audit: of whom it is made, and where there are too few people for it."""

import numpy as np

from qm_vae import types
from qm_vae.audit import yardstick
from qm_vae.privacy.contract import Pairs

SIDE = 16


def faces(people, each):
  """Faces of one grey level a person, 8 levels apart."""
  identity = np.repeat(np.arange(people), each).astype(np.int32)
  image = np.broadcast_to((8 * identity)[:, None, None, None], (len(identity), SIDE, SIDE, 3)).astype(np.uint8)
  eyes = np.tile(np.float32([5, 6, 11, 6]), (len(identity), 1))
  return Pairs(image, image, eyes, eyes, identity, tuple(map(str, range(len(identity)))), image)


def test_aligned_mean_is_of_one_face_of_each_other_person(monkeypatch):
  """Ten faces are averaged, the gallery holds each person who is not attacked once, and batches keep the order."""
  pairs, given = faces(20, 5), {}
  attack = np.flatnonzero(pairs.identity >= 8)

  def make(**options):
    given.update(options)
    return types.Deidentifier((), lambda params, face, key: 1 - face.image)

  monkeypatch.setattr(yardstick, "DEIDENTIFIERS", {yardstick.NAME: make})
  made = yardstick.aligned_mean(pairs, attack, seed=0)
  assert given["k"] == 10 and given["gallery"][:, 0, 0, 0].tolist() == [8 * person for person in range(8, 20)]
  np.testing.assert_array_equal(made, 255 - pairs.original)


def test_aligned_mean_leaves_light_and_hides_detail():
  """The true method answers with faces of the original's light."""
  pairs = faces(20, 2)
  made = yardstick.aligned_mean(pairs, np.flatnonzero(pairs.identity >= 10), seed=0)
  # Flat faces: all of the original is light, and the mean of flat strangers has no detail of its own.
  assert made.dtype == np.uint8 and np.abs(made.astype(int) - pairs.original).max() <= 1  # rounding


def test_aligned_mean_needs_ten_people_who_are_not_attacked():
  """Fewer people give no mean but a reason."""
  pairs = faces(12, 2)
  assert "there are 9" in yardstick.missing(pairs, np.flatnonzero(pairs.identity >= 3))
