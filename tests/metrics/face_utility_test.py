"""The table of what stays of a face, from images to means."""

import numpy as np

from qm_vae import types
from qm_vae.metrics import face_utility

SIDE = 64
EYES = np.tile(np.float32(np.multiply(types.AVERAGE_EYES, SIDE)), (8, 1))


def faces(count=8, seed=0):
  """uint8 [count, SIDE, SIDE, 3], smooth pictures with some detail."""
  random = np.random.default_rng(seed)
  coarse = random.uniform(60, 200, (count, 8, 8, 3)).repeat(8, 1).repeat(8, 2)
  return np.clip(coarse + random.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)


def landmarks_of(images):
  """Places that follow the brightness of each picture, so that a darker picture has other landmarks."""
  random = np.random.default_rng(1)
  shape = random.uniform(0.2, 0.8, (68, 2)) * SIDE
  shape[36:42] = (22, 25) + random.normal(0, 1, (6, 2))
  shape[42:48] = (42, 25) + random.normal(0, 1, (6, 2))
  moved = shape + (images.mean((1, 2, 3), keepdims=True)[..., 0] - 100) / 50 * random.normal(0, 1, (1, 68, 2))
  return moved


def test_face_utility_original_is_unchanged():
  """The original against itself is 0 in everything, and keeps all its detail."""
  images = faces()
  found = face_utility.face_utility(images, images, EYES, np.arange(8), landmarks_of)
  assert set(found) == set(face_utility.UNITS)
  for name, mean in found.items():
    assert abs(mean["value"] - (name == "detail")) < 1e-9 and mean["n"] == 8, name


def test_face_utility_notices_change():
  """A darker, smoother picture has another colour, less detail and moved landmarks."""
  images = faces()
  dark = (images // 2).astype(np.uint8)
  found = face_utility.face_utility(images, dark, EYES, np.arange(8), landmarks_of)
  assert found["skin"]["value"] > 10 and found["detail"]["value"] < 0.5 and found["landmarks"]["value"] > 0.01
  assert all(mean["low"] <= mean["value"] <= mean["high"] for mean in found.values())


def test_face_utility_without_landmarks():
  """Without a landmark network the rest is measured."""
  images = faces()
  assert set(face_utility.face_utility(images, images, EYES, np.arange(8), None)) == {"light", "skin", "detail"}


def test_face_utility_collapsed_landmarks_say_why():
  """Landmarks in one place give no number but a reason, and the other measures stay."""
  images = faces()
  nowhere = lambda x: np.zeros((len(x), 68, 2)) if x.mean() < 80 else landmarks_of(x)
  found = face_utility.face_utility(images, (images // 2).astype(np.uint8), EYES, np.arange(8), nowhere)
  assert found["yaw"]["value"] is None and found["yaw"]["reason"]
  assert found["skin"]["value"] > 10


def test_realism_of_too_few_people_says_why():
  """Fewer than twenty people give no distance but a reason."""
  images = faces()
  found = face_utility.realism_of(images, images, np.arange(8), lambda x: x.reshape(len(x), -1)[:, :5])
  assert (found["frechet"]["value"] is None and "20" in found["frechet"]["reason"]) or "twenty" in found["frechet"][
    "reason"
  ]


def test_realism_of_other_pictures_is_larger():
  """Outputs that are unlike any original are further away than halves of the originals from each other."""
  images, person = faces(80, seed=3), np.arange(80)
  features = lambda x: x.reshape(len(x), 8, 8, 8, 8, 3).mean((2, 4, 5)).reshape(len(x), -1)[:, :6]
  same = face_utility.realism_of(images, images, person, features)
  other = face_utility.realism_of(images, 255 - images // 3, person, features)
  for name in face_utility.REALISM:
    assert other[name]["low"] > same[name]["high"]
