"""A frontal face's 68 landmarks in pixels."""

import numpy as np

from qm_vae.faces import shape


def frontal(side: float = 1.0, mouth_open: float = 0.0) -> np.ndarray:
  """float32 [68, 2] in iBUG's order, pixels of a square of that side; `mouth_open` is a share of the side."""
  return side * shape.frontal(mouth_open)
