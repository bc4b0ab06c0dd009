"""Faces in photographs: found, cropped, and pasted back (Qiu et al. 2022, Sec. 3.2 and 4.3)."""

import os
import threading
from typing import NamedTuple

import cv2
import numpy as np

from qm_vae.errors import InputError

MAX_SIDE = 1280
"""Pixels. A frame whose longer side is longer is shrunk to it before faces are sought; crops keep full resolution."""

EYES = (0.32, 0.38, 0.67, 0.38)
"""Where eyes stand on average in the Haar cascade's box, as shares of its side: x, y at the left, x, y at the right."""

_EYE_SIDE = 160  # pixels to which a crop is brought before its eyes are sought; the eye cascade's window is 20
_WINDOW = 24  # pixels: the side of the frontal cascade's window, below which it can find nothing

# A CascadeClassifier keeps its working buffers in the object: each thread has its own.
_local = threading.local()


class Settings(NamedTuple):
  """How faces are found and cropped."""

  image_size: int = 64  # pixels, side of the crop
  detector: str = "haar"  # 'haar', or 'none': the largest centred square of the frame is the face
  margin: float = 0.1  # share of the found box's side that is added on each of its four sides; unused by 'none'
  scale_factor: float = 1.1  # ratio of successive sizes at which the cascade looks, above 1
  min_neighbors: int = 5  # overlapping findings that make a face
  min_size: int = 24  # pixels of the frame: smaller faces (for 'none': smaller frames) are passed over
  eyes: str = "cascade"  # 'cascade', 'centerface', or 'average': where eyes stand on average, without looking


def detect(image: np.ndarray, settings: Settings) -> np.ndarray:
  """Boxes of the faces in a frame, the largest first.

  Args:
    image: uint8 [H, W, 3] RGB.
    settings: see Settings.

  Returns:
    int32 [M, 4]: x, y of the top left corner, width, height, in pixels of the frame. Ties are ordered from top to
    bottom and left to right, so that the same frame always gives the same answer.

  Raises:
    ValueError: for a detector that is not listed in Settings.
  """
  if settings.detector == "none":
    height, width = image.shape[:2]
    side = min(height, width)
    boxes = [[(width - side) // 2, (height - side) // 2, side, side]] if side >= settings.min_size else []
    return np.array(boxes, np.int32).reshape(-1, 4)
  if settings.detector != "haar":
    raise InputError(f"no face detector is called {settings.detector!r}; choose 'haar' or 'none'")
  return detect_counted(image, settings)[0]


def detect_counted(
  image: np.ndarray, settings: Settings, max_side: int = MAX_SIDE, enlarge: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
  """What the frontal cascade finds in a frame, and how often it found each face.

  Args:
    image: uint8 [H, W, 3] RGB.
    settings: see Settings; its detector is not read.
    max_side: pixels; a frame whose longer side is longer is shrunk to it first.
    enlarge: at least 1; a smaller frame is enlarged so much, up to `max_side`, for the cascade's window is 24 pixels.

  Returns:
    boxes int32 [M, 4] as `detect` returns them; counts int32 [M]: the overlapping findings that make each face.
  """
  height, width = image.shape[:2]
  scale = min(enlarge, max_side / max(height, width))
  grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  if scale != 1:
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
  if min(grey.shape) < _WINDOW:
    return np.zeros((0, 4), np.int32), np.zeros(0, np.int32)
  smallest = max(round(settings.min_size * scale), _WINDOW)
  found, counts = _cascade("haarcascade_frontalface_default").detectMultiScale2(
    grey, settings.scale_factor, settings.min_neighbors, minSize=(smallest, smallest)
  )
  boxes = np.rint(np.reshape(found, (-1, 4)) / scale).astype(np.int32)
  order = np.lexsort((boxes[:, 0], boxes[:, 1], -boxes[:, 2] * boxes[:, 3]))
  return boxes[order], np.reshape(counts, -1).astype(np.int32)[order]


def crop(image: np.ndarray, box: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The square around a box, at `settings.image_size`.

  The square has the box's centre and its longer side plus the margin, on whole pixels of the frame. Outside the frame
  it repeats the frame's edge. It is shrunk by area means and enlarged by cubic interpolation.

  Args:
    image: uint8 [H, W, 3] RGB.
    box: [4], a row of what `detect` returned.
    settings: see Settings.

  Returns:
    image uint8 [S, S, 3]; mask uint8 [S, S, 1], 1 where the centre of the pixel lies inside the frame; box float32 [3]:
    x, y of the square's top left corner (negative outside the frame) and its side, in whole pixels of the frame.
  """
  left, top, width, height = (int(value) for value in box)
  side = round(max(width, height) * (1 + 2 * _margin(settings)))
  x, y = left + (width - side) // 2, top + (height - side) // 2
  rows = np.clip(np.arange(y, y + side), 0, image.shape[0] - 1)
  columns = np.clip(np.arange(x, x + side), 0, image.shape[1] - 1)
  centres = (np.arange(settings.image_size) + 0.5) * side / settings.image_size
  inside_y = (centres + y >= 0) & (centres + y < image.shape[0])
  inside_x = (centres + x >= 0) & (centres + x < image.shape[1])
  mask = (inside_y[:, None] & inside_x).astype(np.uint8)[..., None]
  square = resize(image[rows[:, None], columns], settings.image_size)
  return square, mask, np.array([x, y, side], np.float32)


def paste(frame: np.ndarray, image: np.ndarray, box: np.ndarray) -> np.ndarray:
  """The frame with a crop put back where it came from; the inverse of `crop`.

  Args:
    frame: uint8 [H, W, 3] RGB; it is not changed.
    image: [S, S, 3], uint8, or floating point in [0, 1].
    box: [3], as `crop` returned it.

  Returns:
    uint8 [H, W, 3]. Pixels outside the box are those of the frame; inside they are those of the crop, bit for bit where
    S equals the box's side, else resized as `crop` does.
  """
  x, y, side = (int(value) for value in box)
  image = np.asarray(image)
  if image.dtype == np.uint8:
    square = resize(image, side)
  else:
    square = np.rint(np.clip(resize(image.astype(np.float32), side), 0, 1) * 255).astype(np.uint8)
  top, left = max(y, 0), max(x, 0)
  bottom, right = min(y + side, frame.shape[0]), min(x + side, frame.shape[1])
  result = frame.copy()
  result[top:bottom, left:right] = square[top - y : bottom - y, left - x : right - x]
  return result


def find_eyes(image: np.ndarray, settings: Settings) -> np.ndarray:
  """Where the eyes are in a crop.

  With `settings.eyes` 'centerface' that detector's points of its surest face in the crop. Else the eye cascade looks at
  the crop, enlarged; on each side the finding nearest to where eyes stand on average counts if
  it is within 0.12 of the found box's side. Unless both eyes are found and their line tilts by less than 20 degrees,
  the answer is the average position, EYES; with `settings.eyes` 'average' it is so at once, without looking.

  Args:
    image: uint8 [S, S, 3] RGB, from `crop` with the same settings.
    settings: see Settings; its margin tells where in the crop the found box is.

  Returns:
    float32 [4], pixels of the crop: x, y of the eye at the image's left, x, y of the one at its right.
  """
  if settings.eyes == "centerface":
    found = _eyes_by_centerface(image)
  else:
    found = None if settings.eyes == "average" else look_for_eyes(image, settings)
  if found is not None:
    return found
  return (_average_eyes(settings) * len(image) / _EYE_SIDE).astype(np.float32).reshape(4)


def look_for_eyes(image: np.ndarray, settings: Settings) -> np.ndarray | None:
  """What `find_eyes` finds, None where that is nothing; `settings.eyes` plays no part."""
  margin, expected = _margin(settings), _average_eyes(settings)
  grey = resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _EYE_SIDE)[: round(0.6 * _EYE_SIDE)]
  smallest = _EYE_SIDE // 8
  found = _cascade("haarcascade_eye").detectMultiScale(grey, 1.1, 3, minSize=(smallest, smallest))
  found = np.reshape(found, (-1, 4))
  if len(found):
    centres = found[:, :2] + found[:, 2:] / 2
    distance = np.linalg.norm(centres[None] - expected[:, None], axis=-1)
    nearest = centres[distance.argmin(1)]
    across, down = nearest[1] - nearest[0]
    radius = 0.12 * _EYE_SIDE / (1 + 2 * margin)
    if distance.min(1).max() < radius and abs(down) < np.tan(np.deg2rad(20)) * across:
      return (nearest * len(image) / _EYE_SIDE).astype(np.float32).reshape(4)
  return None


def _eyes_by_centerface(image):
  """float32 [4], None where no face is found."""
  if not hasattr(_local, "centerface"):
    from qm_vae.faces.detectors import open_detector  # it loads onnxruntime, and its cascade is this module's

    _local.centerface = open_detector("centerface", provider="CPU")
  found = _local.centerface.find(image)
  if not len(found.scores) or found.points is None:
    return None
  return found.points[found.scores.argmax(), :2].reshape(4)


def _average_eyes(settings):
  """[2, 2]: where eyes stand on average in a crop of `_EYE_SIDE` pixels."""
  margin = _margin(settings)
  return (np.reshape(EYES, (2, 2)) + margin) / (1 + 2 * margin) * _EYE_SIDE


def enlarged(image: np.ndarray, times: int) -> np.ndarray:
  """uint8 [H, W, 3] at `times` its sides, by cubic interpolation."""
  return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def resize(image: np.ndarray, side: int) -> np.ndarray:
  """The square image [S, S, ...] at [side, side, ...]: by area means where it shrinks, else by cubic interpolation."""
  if image.shape[0] == side:
    return image
  shrinks = side < image.shape[0]
  return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
  """The image [H, W, 3] with its longer side at most `longest` pixels, by area means; smaller ones as they are."""
  height, width = image.shape[:2]
  scale = longest / max(height, width)
  if scale >= 1:
    return image
  return cv2.resize(image, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA)


def _margin(settings):
  return settings.margin if settings.detector == "haar" else 0.0


def _cascade(name):
  if not hasattr(_local, name):
    if not hasattr(cv2, "CascadeClassifier"):
      raise InputError(f"OpenCV {cv2.__version__} has no cv2.CascadeClassifier; install opencv-python>=4.12,<5")
    setattr(_local, name, cv2.CascadeClassifier(os.path.join(os.path.dirname(cv2.__file__), "data", f"{name}.xml")))
  return getattr(_local, name)
