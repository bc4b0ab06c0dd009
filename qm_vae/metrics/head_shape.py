"""The average head of a set of people, from their landmarks: rigid structure from motion, in NumPy."""

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import pose

MIRROR = np.r_[
  16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, [47, 46], 39:35:-1, [41, 40], 54:47:-1, 59:54:-1, 64:59:-1, 67:64:-1
]
"""[68] which of iBUG's points each becomes in a mirrored face."""

CHOSEN = np.r_[8, 17:68]
"""Chin, brows, nose, eyes and mouth. The rest of the jaw is a silhouette: other points of the head at every pose."""

FACES = 50
TURN = 0.08  # sine of about five degrees
_ROUNDS = 10  # of 500 real faces, points move by less than 0.002 units after these


def estimate(points) -> np.ndarray:
  """The average head under which weak perspective explains landmarks best.

  Poses (`pose.fit`) and shape, by least squares, in turn; the shape is made symmetric. It has the frame and the unit of
  `pose.HEAD`: the turn about the x axis that takes it nearest, and the same distance of the eyes' outer corners.

  Args:
    points: [N, 68, 2], x and y in pixels, iBUG 300-W order: different people or one, in different poses.

  Returns:
    [68, 3] as `pose.HEAD`, whole for the points CHOSEN, NaN for the others.

  Raises:
    ValueError: for fewer than FACES faces, poses too much alike to show depth, and as `pose.fit`.

  Source: Tomasi and Kanade 1992, "Shape and motion from image streams under orthography", with known starting poses.
  """
  points = pose.checked(points)
  if points.ndim != 3 or len(points) < FACES:
    raise InputError(f"head_shape.estimate: landmarks {points.shape}; give [N, 68, 2] of at least {FACES} faces")
  head = pose.HEAD
  for _ in range(_ROUNDS):
    found = pose.fit(points, head)
    rotation = found.rotation[:, :2]
    turns = np.std(rotation[..., 2], 0).max()
    if turns < TURN:
      raise InputError(
        f"head_shape.estimate: heads turn by {np.degrees(turns):.1f} degrees (standard deviation); depth shows from "
        f"{np.degrees(TURN):.0f} on: give faces in more poses, or keep pose.HEAD"
      )
    # Each face counts alike, whatever its size; its shift is free.
    seen = points[:, CHOSEN] / found.scale[:, None, None]
    seen = (seen - seen.mean(1, keepdims=True)).transpose(0, 2, 1).reshape(-1, len(CHOSEN))
    shape = np.full((68, 3), np.nan)
    shape[CHOSEN] = np.linalg.lstsq(rotation.reshape(-1, 3), seen, rcond=None)[0].T
    head = _in_frame((shape + shape[MIRROR] * (-1, 1, 1)) / 2)
  return head


def _in_frame(shape):
  """`shape` scaled, turned about x and shifted to lie as `pose.HEAD` does."""
  shape = shape * (pose.HEAD[45, 0] / shape[45, 0])
  known = np.isfinite(pose.HEAD).all(-1)
  middle, there = shape[known].mean(0), pose.HEAD[known].mean(0)
  (y, z), (to_y, to_z) = (shape[known] - middle)[:, 1:].T, (pose.HEAD[known] - there)[:, 1:].T
  angle = np.arctan2((y * to_z - z * to_y).sum(), (y * to_y + z * to_z).sum())
  turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
  return (shape - middle) @ turn + there
