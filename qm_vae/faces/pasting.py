"""A protected face put back into its frame, with a soft edge that lies outside what must be hidden."""

import cv2
import numpy as np

from qm_vae.errors import InputError
from qm_vae.faces import SHAPES, cropping

_SOFT = 0.02  # share of the crop's side over which the frame's pixels give way to the crop's


def changed_region(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """The convex region [S, S] bool around all pixels in which two crops, uint8 [S, S, 3], differ.

  Convex, so that pixels inside that are the same by chance belong to it.
  """
  region = np.zeros(before.shape[:2], np.uint8)
  rows, columns = np.nonzero((before != after).any(-1))
  if len(rows):
    cv2.fillConvexPoly(region, cv2.convexHull(np.stack([columns, rows], -1).astype(np.int32)), 1)
  return region.astype(bool)


def blend_region(frame: np.ndarray, image: np.ndarray, box: np.ndarray, region: np.ndarray) -> None:
  """Writes the part of a protected crop that lies in `region` into `frame`, in place; around it the frame stays.

  Args:
    frame: uint8 [H, W, 3] RGB.
    image: uint8 [S, S, 3], the protected crop, which outside the region is as it was.
    box: [3], as `faces.crop` returned it.
    region: bool [S, S].
  """
  side = int(box[2])
  reach = max(round(_SOFT * side), 1)
  mask = cv2.resize(region.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
  # Outwards only: within the region nothing of the frame remains.
  wide = cv2.dilate((mask > 0).astype(np.float32), np.ones((2 * reach + 1, 2 * reach + 1)))
  weight = np.maximum(cv2.blur(wide, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_REPLICATE), mask > 0)
  _write(frame, image, box, weight)


def blend(frame: np.ndarray, image: np.ndarray, box: np.ndarray, *, feather: float, shape: str = "box") -> None:
  """Writes a protected crop into `frame`, in place.

  The crop's inner part is written as it is; in a band along the crop's border it fades into the frame, linearly. What
  must be hidden therefore has to lie inside the inner part: crop with a margin of at least `feather` around it.

  Args:
    frame: uint8 [H, W, 3] RGB, changed inside the box alone.
    image: uint8 [S, S, 3], the protected crop.
    box: [3], as `faces.crop` returned it: x, y of the top left corner, side, whole pixels.
    feather: width of the band, share of the crop's side, in [0, 0.5).
    shape: 'box', or 'ellipse': the ellipse inscribed in the inner part is covered, and the band is around it.

  Raises:
    ValueError: for a shape that is not in SHAPES.
  """
  if shape not in SHAPES:
    raise InputError(f"no shape is called {shape!r}; choose one of {', '.join(SHAPES)}")
  _write(frame, image, box, _weights(int(box[2]), feather, shape))


def _write(frame, image, box, weight):
  """Blends a crop, resized to its box, into the frame by weights [side, side]."""
  x, y, side = (int(value) for value in box)
  top, left = max(y, 0), max(x, 0)
  bottom, right = min(y + side, frame.shape[0]), min(x + side, frame.shape[1])
  if bottom <= top or right <= left:
    return
  inside = np.s_[top - y : bottom - y, left - x : right - x]
  square = cropping.resize(image, side)[inside].astype(np.float32)
  weight = weight[inside][..., None]
  region = frame[top:bottom, left:right]
  region[...] = np.rint(region + weight * (square - region)).astype(np.uint8)


def _weights(side, feather, shape):
  """float32 [side, side]: 1 in the inner part, falling to 0 at the crop's border."""
  away = np.abs((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5)  # from the centre, shares of the side
  distance = (np.maximum if shape == "box" else np.hypot)(away[:, None], away[None])
  if not feather:
    return (distance <= 0.5).astype(np.float32)
  return np.clip((0.5 - distance) / feather, 0, 1)
