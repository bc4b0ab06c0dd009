"""Faces and eyes as services, on the faces that the project draws."""

import numpy as np
import pytest

from qm_vae.data import DATASETS
from qm_vae.faces import cropping, source_crops
from qm_vae.services import detection


@pytest.fixture(scope="module")
def crops():
  source = DATASETS["synthetic"](num_people=6, images_per_person=1, frame_size=96, first_person=0, seed=0)
  return source_crops.crop_source(source, cropping.Settings(image_size=64), show=False)


def test_detection_face_found_none_grey_picture(crops):
  """A face is found where it is and none in a grey picture."""
  message = detection.largest_face(crops.image)
  found = np.array([one for one in message if None not in one])
  assert len(found) >= len(crops) / 2
  # The crop is the cascade's box and a margin of 0.1, so that the box's centre is the crop's.
  np.testing.assert_allclose(np.median(found, 0), [0.5, 0.5, 1 / 1.2], atol=0.1)
  assert detection.largest_face(np.full((1, 64, 64, 3), 128, np.uint8)) == [[None] * 3]


def test_detection_face_moves_told_move(crops):
  """A face that moves is told to move."""
  message = detection.largest_face(crops.image)
  i = next(i for i, one in enumerate(message) if None not in one)
  moved = np.concatenate([np.repeat(crops.image[i : i + 1, :, :1], 6, 2), crops.image[i : i + 1, :, :-6]], 2)
  x, y, _ = detection.largest_face(moved)[0]
  np.testing.assert_allclose([x - message[i][0], y - message[i][1]], [6 / 64, 0], atol=0.04)  # the cascade's grid


def test_detection_eyes_agree_crops_own(crops):
  """Eyes agree with the crops own."""
  message = detection.eyes(crops.image)
  for one, eyes in zip(message, crops.eyes, strict=True):
    if None not in one:
      np.testing.assert_allclose(np.array(one) * 64, eyes, atol=1e-4)
  assert detection.eyes(np.full((1, 64, 64, 3), 128, np.uint8)) == [[None] * 4]
