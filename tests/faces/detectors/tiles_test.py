"""Large pictures in tiles: every face whole in one, each counted once, and what the smallest is."""

import numpy as np
import pytest

from qm_vae.faces.detectors import tiles
from qm_vae.types import Detections, Detector

SIDE, SEES = 64, 8  # pixels: of the largest search, and of the smallest square that it sees


def detector(**changes):
  """Finds white squares of at least SEES pixels in a picture that it first shrinks to SIDE, as real ones do."""
  asked = []

  def find(image):
    asked.append(image.shape)
    step = max(-(-max(image.shape[:2]) // SIDE), 1)
    small = image[::step, ::step, 0] == 255
    boxes = []
    while small.any():
      y, x = np.argwhere(small)[0]
      width = int(np.argmin(np.append(small[y, x:], False)))
      height = int(np.argmin(np.append(small[y:, x], False)))
      small[y : y + height, x : x + width] = False
      if max(width, height) >= SEES:
        boxes.append([x * step, y * step, width * step, height * step])
    return Detections(np.float32(boxes).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))

  description = {"name": "squares", "sees": SEES, "max_side": SIDE, "min_size": SEES} | changes
  return Detector(find, 0.5, 0.25, description), asked


def picture(squares, size=(400, 300)):
  image = np.zeros((size[1], size[0], 3), np.uint8)
  for x, y, side in squares:
    image[y : y + side, x : x + side] = 255
  return image


def test_tiles_small_faces_found_wherever_they_lie():
  """Each small square is found once, wherever the edges of the tiles are; the whole picture shows none of them."""
  whole, _ = detector()
  searched = tiles.tiled(whole)
  random = np.random.default_rng(0)
  for _ in range(40):
    x, y = (int(random.integers(0, length - 9)) for length in (400, 300))
    image = picture([(x, y, 9)])
    assert not len(whole.find(image).boxes)
    np.testing.assert_array_equal(searched.find(image).boxes, [[x, y, 9, 9]])


def test_tiles_face_larger_than_a_tile_counts_once():
  """A large square, which no tile holds whole, is found in the whole picture, and its pieces are no further faces."""
  searched = tiles.tiled(detector()[0])
  found = searched.find(picture([(98, 84, 126), (300, 20, 10)]))
  assert len(found.boxes) == 2
  np.testing.assert_array_equal(np.sort(found.boxes[:, 2]), [10, 126])


def test_tiles_small_picture_is_searched_once():
  """A picture that is searched at its own scale has no tiles."""
  whole, asked = detector()
  tiles.tiled(whole).find(picture([(5, 5, 10)], (60, 50)))
  assert asked == [(50, 60, 3)]


@pytest.mark.parametrize(
  ("changes", "size", "expected"),
  [
    ({}, (64, 48), 8),
    ({}, (640, 480), 80),
    ({"min_size": 100}, (640, 480), 100),
    ({"tiled": True}, (640, 480), 8),
    ({"enlarge": 2.0, "min_size": 4}, (32, 32), 4),
    ({"enlarge": 2.0, "min_size": 4, "tiled": True}, (640, 480), 4),
    ({"input": (32, 64)}, (640, 640), 160),
  ],
)
def test_tiles_smallest_face(changes, size, expected):
  """The smallest face follows from how much a frame is shrunk: 640 pixels to 64 make ten of every pixel."""
  assert tiles.smallest(detector(**changes)[0].description, size) == pytest.approx(expected)


def test_tiles_detector_that_does_not_say_is_left():
  """A detector that does not say what it sees is searched as it is."""
  silent = Detector(lambda image: None, 0.5, 0.25, {"name": "silent", "min_size": 8})
  assert tiles.tiled(silent) is silent and tiles.smallest(silent.description, (100, 100)) is None
