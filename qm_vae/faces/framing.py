"""The box that the Haar cascade would give a face, from its landmarks: what networks here have learnt from."""

import numpy as np

from qm_vae.faces import cropping

_TALLEST, _WIDEST = 0.85, 0.95
"""Shares of the box that landmarks take at most, where eyes that are seen from the side would make it too small."""
_OVERLAP = 0.3  # of the two boxes, intersection over union: less, and the landmarks are those of something else


def box_of(landmarks: np.ndarray) -> np.ndarray:
  """The box [..., 4], x, y, width, height, in which eyes are where `cropping.EYES` has them on average.

  Args:
    landmarks: [..., 68, 2], pixels.
  """
  left, right = landmarks[..., 36:42, :].mean(-2), landmarks[..., 42:48, :].mean(-2)
  x0, y0, x1, _ = cropping.EYES
  extent = landmarks.max(-2) - landmarks.min(-2)
  side = np.linalg.norm(right - left, axis=-1) / (x1 - x0)
  side = np.maximum.reduce([side, extent[..., 0] / _WIDEST, extent[..., 1] / _TALLEST])
  corner = (left + right) / 2 - side[..., None] * np.array([(x0 + x1) / 2, y0])
  return np.concatenate([corner, side[..., None], side[..., None]], -1)


def agree(first: np.ndarray, second: np.ndarray) -> bool:
  """Whether two boxes [4] can be of one face: the middle of each lies in the other, and they overlap."""
  low, high = np.maximum(first[:2], second[:2]), np.minimum(first[:2] + first[2:], second[:2] + second[2:])
  common = np.prod(np.maximum(high - low, 0))
  inside = lambda a, b: bool(np.all((a[:2] + a[2:] / 2 >= b[:2]) & (a[:2] + a[2:] / 2 <= b[:2] + b[2:])))
  overlap = common / max(np.prod(first[2:]) + np.prod(second[2:]) - common, 1e-9)
  return inside(first, second) and inside(second, first) and bool(overlap >= _OVERLAP)
