"""A protected face put back into its frame, with a soft edge that lies outside what must be hidden."""

import numpy as np

from qm_vae.faces import cropping

SHAPES = ("box", "ellipse")


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
    raise ValueError(f"no shape is called {shape!r}; choose one of {', '.join(SHAPES)}")
  x, y, side = (int(value) for value in box)
  top, left = max(y, 0), max(x, 0)
  bottom, right = min(y + side, frame.shape[0]), min(x + side, frame.shape[1])
  if bottom <= top or right <= left:
    return
  inside = np.s_[top - y : bottom - y, left - x : right - x]
  square = cropping.resize(image, side)[inside].astype(np.float32)
  weight = _weights(side, feather, shape)[inside][..., None]
  region = frame[top:bottom, left:right]
  region[...] = np.rint(region + weight * (square - region)).astype(np.uint8)


def _weights(side, feather, shape):
  """float32 [side, side]: 1 in the inner part, falling to 0 at the crop's border."""
  away = np.abs((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5)  # from the centre, shares of the side
  distance = (np.maximum if shape == "box" else np.hypot)(away[:, None], away[None])
  if not feather:
    return (distance <= 0.5).astype(np.float32)
  return np.clip((0.5 - distance) / feather, 0, 1)
