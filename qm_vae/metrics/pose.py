"""How a head is turned, from its landmarks: weak perspective, in NumPy."""

from typing import NamedTuple

import numpy as np

from qm_vae.errors import InputError

_KNOWN = {
  17: (-6.825897, -6.760612, -4.402142),  # ends of the brows
  21: (-1.330353, -7.122144, -6.903745),
  22: (1.330353, -7.122144, -6.903745),
  26: (6.825897, -6.760612, -4.402142),
  36: (-5.311432, -5.485328, -3.987654),  # corners of the eyes
  39: (-1.789930, -5.393625, -4.413414),
  42: (1.789930, -5.393625, -4.413414),
  45: (5.311432, -5.485328, -3.987654),
  31: (-2.005628, -1.409845, -6.165652),  # of the nose
  35: (2.005628, -1.409845, -6.165652),
  48: (-2.774015, 2.080775, -5.048531),  # of the mouth
  54: (2.774015, 2.080775, -5.048531),
  57: (0.0, 3.116408, -6.097667),  # lower lip
  8: (0.0, 7.415691, -4.070434),  # chin
}


def _head():
  head = np.full((68, 3), np.nan)
  # Between the known points depth goes evenly along brows and eyes, from corner to corner.
  depth = lambda i, j, share: np.interp(share, [0, 1], [_KNOWN[i][2], _KNOWN[j][2]])
  around_eye = np.array([0, 1, 2, 3, 2, 1]) / 3
  head[17:22, 2], head[22:27, 2] = depth(17, 21, np.linspace(0, 1, 5)), depth(22, 26, np.linspace(0, 1, 5))
  head[36:42, 2], head[42:48, 2] = depth(36, 39, around_eye), depth(42, 45, around_eye)
  # Lips follow a parabola from the middle to their corners; the inner corners lie at 0.8 of the half width.
  aside = np.array([3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 2.4, 1, 0, 1, 2.4, 1, 0, 1]) / 3
  head[48:68, 2] = depth(57, 48, aside**2)
  head[list(_KNOWN)] = list(_KNOWN.values())
  return head


HEAD = _head()
"""[68, 3] an average head, in the order of iBUG 300-W: x to the image's right, y down, z away from the camera; NaN is
not known. Fourteen points are whole; of the others of brows, eyes and mouth there is only z. The outer corners of the
eyes are 10.6 apart. Source: the anthropometric model of Martins and Batista 2008, "Accurate single view model-based
head pose estimation"."""

_STEPS = 60  # of 2,000 real faces, 2 still move more than 0.001 degrees after these


class Fit(NamedTuple):
  """Weak perspective: a point X of the head appears at scale * (rotation @ X)[:2] + shift."""

  rotation: np.ndarray  # [..., 3, 3]
  scale: np.ndarray  # [...], pixels for one unit of the head
  shift: np.ndarray  # [..., 2], pixels


def fit(points, head=HEAD) -> Fit:
  """The rotation, scale and shift under which the points of an average head come nearest to those found.

  POS gives the start: the affine camera by linear least squares, its nearest rotation. By itself POS takes the
  difference between a person's shape and the average for a turn of the head; Levenberg-Marquardt steps over rotation,
  scale and shift then minimise the squared distance in the image. No focal length is assumed: for photographs from a
  distance this errs less than a perspective camera with a guessed one.

  Args:
    points: [..., 68, 2], x and y in pixels, y down, iBUG 300-W order.
    head: [68, 3] as HEAD; points with a NaN are left out.

  Raises:
    ValueError: for another shape, and for points that are not finite or all in one place.

  Source: DeMenthon and Davis 1995, "Model-based object pose in 25 lines of code", Sec. 3 (POS).
  """
  points = checked(points)
  lead, known = points.shape[:-2], np.flatnonzero(np.isfinite(head).all(-1))
  x, head = points.reshape(-1, 68, 2)[:, known], head[known]
  middle, origin = x.mean(1), head.mean(0)
  x, head = x - middle[:, None], head - origin
  affine = np.swapaxes(np.linalg.pinv(head) @ x, 1, 2)
  u, _, v = np.linalg.svd(affine, full_matrices=False)
  rows = u @ v
  rotation = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
  rotation = _refined(rotation, x, head)
  seen = (head @ np.swapaxes(rotation, 1, 2))[..., :2]
  scale = _scale(x, seen)
  shift = middle - scale[:, None] * (rotation @ origin)[:, :2]
  return Fit(rotation.reshape(*lead, 3, 3), scale.reshape(lead), shift.reshape(*lead, 2))


def head_pose(points, head=HEAD) -> np.ndarray:
  """Yaw, pitch and roll of heads.

  Args:
    points: [..., 68, 2], as for `fit`.
    head: [68, 3], as for `fit`.

  Returns:
    [..., 3] degrees. Yaw, in [-90, 90]: positive when the nose points to the image's right. Pitch: positive when it
    points up. Roll: positive when the head leans clockwise in the image. They turn the head in the order pitch, yaw,
    roll. An average head's zero differs from a person's by some degrees: compare two poses of one person.

  Raises:
    ValueError: as `fit`.
  """
  rotation = fit(points, head).rotation
  yaw = np.arcsin(np.clip(rotation[..., 2, 0], -1, 1))
  pitch = -np.arctan2(rotation[..., 2, 1], rotation[..., 2, 2])
  roll = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
  return np.degrees(np.stack([yaw, pitch, roll], -1))


def pose_difference(original, output, head=HEAD) -> np.ndarray:
  """Absolute differences of yaw, pitch and roll, [..., 3] in [0, 180] degrees.

  Args:
    original: [..., 68, 2] landmarks, as for `fit`.
    output: [..., 68, 2] those of the same faces after de-identification.
    head: [68, 3], as for `fit`.

  Raises:
    ValueError: as `fit`, and for shapes that differ.
  """
  if np.shape(original) != np.shape(output):
    raise InputError(f"pose_difference: landmarks {np.shape(original)} and {np.shape(output)}; give the same faces")
  return np.abs((head_pose(output, head) - head_pose(original, head) + 180) % 360 - 180)


def checked(points) -> np.ndarray:
  """The landmarks as float64 [..., 68, 2].

  Raises:
    ValueError: as `fit`.
  """
  points = np.asarray(points, np.float64)
  if points.shape[-2:] != (68, 2):
    raise InputError(f"landmarks of shape {points.shape}; give [..., 68, 2]")
  if not np.isfinite(points).all():
    raise InputError("landmarks that are not finite; leave out the faces that were not found")
  if not np.all(np.ptp(points[..., 17:, :], -2) > 0):
    raise InputError("landmarks that lie on one place or line; leave out the faces that were not found")
  return points


def _scale(x, seen):
  return (x * seen).sum((1, 2)) / (seen * seen).sum((1, 2))


def _refined(rotation, x, head):
  """The rotations [N, 3, 3], from those given, that take `head` [K, 3] nearest to x [N, K, 2] for the best scale."""
  damping, distance = np.full(len(x), 1e-3), _distance(rotation, x, head)
  for _ in range(_STEPS):
    tried = _turn(_step(x, head @ np.swapaxes(rotation, 1, 2), damping)) @ rotation
    there = _distance(tried, x, head)
    nearer = there < distance
    rotation = np.where(nearer[:, None, None], tried, rotation)
    distance = np.where(nearer, there, distance)
    damping = np.where(nearer, damping / 3, np.minimum(damping * 4, 1e6))
  return rotation


def _distance(rotation, x, head):
  seen = (head @ np.swapaxes(rotation, 1, 2))[..., :2]
  return np.square(x - _scale(x, seen)[:, None, None] * seen).sum((1, 2))


def _step(x, turned, damping):
  """The small rotation [N, 3], radians, that lessens the distance of `turned` [N, K, 3] to x [N, K, 2]."""
  seen, zero = turned[..., :2], np.zeros_like(turned[..., 0])
  scale = _scale(x, seen)[:, None, None]
  residual = (x - scale * seen).transpose(0, 2, 1).reshape(len(x), -1, 1)
  across = np.stack([zero, turned[..., 2], -turned[..., 1], turned[..., 0]], -1)
  down = np.stack([-turned[..., 2], zero, turned[..., 0], turned[..., 1]], -1)
  jacobian = scale * np.concatenate([across, down], 1)  # the last column is the scale's, in shares
  adjoint = jacobian.transpose(0, 2, 1)
  normal = adjoint @ jacobian
  normal = normal + damping[:, None, None] * normal * np.eye(4)
  return np.linalg.solve(normal, adjoint @ residual)[:, :3, 0]


def _turn(vector):
  """Rotation matrices [N, 3, 3] of rotation vectors [N, 3], by Rodrigues' formula."""
  angle = np.linalg.norm(vector, axis=-1)[:, None, None]
  x, y, z = (vector / np.maximum(angle[..., 0], 1e-12)).T
  zero = np.zeros_like(x)
  skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
  return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
