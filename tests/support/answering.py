"""A service as a plain function, for runs against black boxes."""

import numpy as np


def brightness(images: np.ndarray) -> list[str]:
  """'happy' for images [N, H, W, 3] that are brighter than the middle, else 'sad'."""
  return ["happy" if image.mean() > 128 else "sad" for image in images]
