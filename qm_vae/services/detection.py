"""Finding faces and eyes offered as black boxes: functions of uint8 images, by OpenCV's Haar cascades."""

import numpy as np

from qm_vae.faces import cropping

_BORDER = 0.25  # of the side, repeated edge on every side: the cascade misses faces that fill the picture
_LARGER = 2  # times, since its window is 24 pixels and steps by whole pixels

SETTINGS = cropping.Settings(image_size=0, min_neighbors=3)


def largest_face(images: np.ndarray) -> list:
  """The largest face in each of uint8 [n, S, S, 3]: [x, y, side] of its box, None throughout where none is found.

  x and y are the box's centre; all three are shares of the picture's side.
  """
  return [_face(image) for image in images]


def eyes(images: np.ndarray) -> list:
  """Where the eyes are in each crop of uint8 [n, S, S, 3], as shares of its side: [left x, left y, right x, right y].

  Left is the image's left. None throughout where the cascade finds no pair of eyes.
  """
  found = [cropping.look_for_eyes(image, cropping.Settings(image_size=image.shape[0])) for image in images]
  return [[None] * 4 if one is None else (one / len(image)).tolist() for one, image in zip(found, images, strict=True)]


def _face(image):
  side = image.shape[0]
  border = round(_BORDER * side)
  wide = np.pad(image, ((border, border), (border, border), (0, 0)), "edge")
  boxes = cropping.detect(cropping.enlarged(wide, _LARGER), SETTINGS)
  if not len(boxes):
    return [None] * 3
  x, y, width, height = (boxes[0] / _LARGER).tolist()
  return [(x + width / 2 - border) / side, (y + height / 2 - border) / side, max(width, height) / side]
