"""Head pose against projections of the head under known angles, and against OpenCV's perspective solution."""

import cv2
import numpy as np
import pytest

from qm_vae.metrics import pose

KNOWN = np.flatnonzero(np.isfinite(pose.HEAD).all(-1))
SHAPE = pose.HEAD[KNOWN]
LIMITS = np.array([45, 25, 20])  # degrees


def rotation(angles):
  """[N, 3, 3] of yaw, pitch, roll [N, 3] in degrees, by elementary rotations."""
  yaw, pitch, roll = np.radians(angles).T
  one, zero = np.ones_like(yaw), np.zeros_like(yaw)
  matrix = lambda *rows: np.stack([np.stack(row, -1) for row in rows], -2)
  about_x = matrix((one, zero, zero), (zero, np.cos(pitch), np.sin(pitch)), (zero, -np.sin(pitch), np.cos(pitch)))
  about_y = matrix((np.cos(yaw), zero, -np.sin(yaw)), (zero, one, zero), (np.sin(yaw), zero, np.cos(yaw)))
  about_z = matrix((np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one))
  return about_z @ about_y @ about_x


def heads(n=200, seed=0):
  """Angles [N, 3] and landmarks [N, 68, 2] of the average head seen from far away; points that it lacks are noise."""
  random = np.random.default_rng(seed)
  angles = random.uniform(-LIMITS, LIMITS, (n, 3))
  points = random.uniform(0, 100, (n, 68, 2))
  seen = SHAPE @ rotation(angles).transpose(0, 2, 1)
  points[:, KNOWN] = random.uniform(2, 8, (n, 1, 1)) * seen[..., :2] + random.uniform(-50, 50, (n, 1, 2))
  return angles, points


def in_perspective(angles, distance, focal):
  """The head `distance` units of HEAD before a camera with its axis at (0, 0)."""
  seen = (SHAPE - SHAPE.mean(0)) @ rotation(angles).transpose(0, 2, 1)
  points = np.zeros((len(angles), 68, 2))
  points[:, KNOWN] = focal * seen[..., :2] / (seen[..., 2:] + distance)
  return points


def chosen(points):
  """The head's 14 points as OpenCV takes them."""
  return np.ascontiguousarray(points[:, KNOWN])


def test_head_pose_pose_recovers_known_angles():
  """Head pose recovers known angles."""
  angles, points = heads()
  # Without noise the affine fit is exact; what remains is float64 through the pseudo-inverse.
  np.testing.assert_allclose(pose.head_pose(points), angles, atol=1e-6)


def test_head_pose_fit_recovers_scale_shift():
  """Fit recovers scale and shift."""
  angle, turn = np.zeros((1, 3)), np.array([3.0, -7.0])
  points = np.zeros((1, 68, 2))
  points[:, KNOWN] = 2.5 * SHAPE[:, :2] + turn
  found = pose.fit(points)
  np.testing.assert_allclose(found.scale, [2.5], rtol=1e-9)
  np.testing.assert_allclose(found.shift, turn[None], atol=1e-7)
  np.testing.assert_allclose(found.rotation, rotation(angle), atol=1e-8)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_head_pose_signs(which):
  """Right, up and clockwise are positive: the chin, far below and behind the eyes, moves as geometry says."""
  angles = np.zeros((1, 3))
  angles[0, which] = 20
  nose = rotation(angles)[0] @ [0, 0, -1]  # where a nose points that pointed to the camera
  crown = rotation(angles)[0] @ [0, -1, 0]
  assert {0: nose[0] > 0.3, 1: nose[1] < -0.3, 2: crown[0] > 0.3}[which]


def test_head_pose_of_a_mirrored_face():
  """Mirroring turns yaw and roll round and keeps pitch."""
  angles, points = heads(50)
  mirrored = points.copy()
  mirrored[:, KNOWN] = (chosen(points) * (-1, 1))[:, [0, 4, 3, 2, 1, 6, 5, 10, 9, 8, 7, 12, 11, 13]]
  np.testing.assert_allclose(pose.head_pose(mirrored), angles * (-1, 1, -1), atol=1e-6)


def test_head_pose_of_other_heads_beats_pos():
  """Of people whose features lie 0.7 units off the average, the least-squares fit errs less than POS, its start."""
  random = np.random.default_rng(1)
  angles = random.uniform(-LIMITS, LIMITS, (300, 3))
  people = SHAPE + 0.7 * random.standard_normal((300, *SHAPE.shape))
  points = np.zeros((300, 68, 2))
  points[:, KNOWN] = (people @ rotation(angles).transpose(0, 2, 1))[..., :2]
  head, seen = SHAPE - SHAPE.mean(0), points[:, KNOWN]
  affine = np.swapaxes(np.linalg.pinv(head) @ (seen - seen.mean(1, keepdims=True)), 1, 2)
  u, _, v = np.linalg.svd(affine, full_matrices=False)
  by_pos = np.degrees(np.arcsin(np.cross((u @ v)[:, 0], (u @ v)[:, 1])[:, 0]))
  error = np.abs(pose.head_pose(points) - angles).mean(0)
  assert error[0] < np.abs(by_pos - angles[:, 0]).mean()
  assert (error < [6, 6, 3]).all()  # 14 points off by 0.7 of a lever of about 2 in depth


def test_head_pose_in_perspective_errs_less_than_solve_pnp_with_a_guessed_focal_length():
  """From 80 units, a metre or so, weak perspective costs two degrees, a focal length of one image width three."""
  angles = np.random.default_rng(2).uniform(-LIMITS, LIMITS, (60, 3))
  points = in_perspective(angles, 80, 360)  # the face 70 pixels wide
  found = np.abs(pose.head_pose(points) - angles).mean(0)
  camera = np.diag([108.0, 108, 1])
  solved = [
    cv2.Rodrigues(cv2.solvePnP(SHAPE, face, camera, None, flags=cv2.SOLVEPNP_SQPNP)[1])[0] for face in chosen(points)
  ]
  yaw = np.degrees(np.arcsin([matrix[2, 0] for matrix in solved]))
  assert (found < [2, 2.5, 1]).all()
  assert found[0] < np.abs(yaw - angles[:, 0]).mean()


def test_head_pose_equals_solve_pnp_from_afar():
  """At a distance of 500 units, with the true focal length, perspective and weak perspective are one."""
  angles = np.random.default_rng(3).uniform(-LIMITS, LIMITS, (10, 3))
  points = in_perspective(angles, 500, 5000)
  solved = [
    cv2.Rodrigues(cv2.solvePnP(SHAPE, face, np.diag([5000.0, 5000, 1]), None, flags=cv2.SOLVEPNP_SQPNP)[1])[0]
    for face in chosen(points)
  ]
  yaw = np.degrees(np.arcsin([matrix[2, 0] for matrix in solved]))
  np.testing.assert_allclose(
    pose.head_pose(points)[:, 0], yaw, atol=0.5
  )  # 1.1 degrees on average at 80 units, falling with distance


def test_head_pose_difference_wraps_takes_one_face():
  """Pose difference wraps and takes one face."""
  angles = np.array([[0.0, 0, 178], [0, 0, -178]])
  seen = (SHAPE @ rotation(angles).transpose(0, 2, 1))[..., :2]
  points = np.zeros((2, 68, 2))
  points[:, KNOWN] = seen
  np.testing.assert_allclose(pose.pose_difference(points[0], points[1]), [0, 0, 4], atol=1e-6)


@pytest.mark.parametrize(
  ("points", "message"),
  [
    (np.zeros((2, 5, 2)), "give \\[..., 68, 2\\]"),
    (np.full((1, 68, 2), np.nan), "not finite"),
    (np.ones((1, 68, 2)), "one place"),
  ],
)
def test_head_pose_pose_refuses(points, message):
  """Head pose refuses."""
  with pytest.raises(ValueError, match=message):
    pose.head_pose(points)
