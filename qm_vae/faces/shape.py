"""Shapes of faces: 68 landmarks brought to one frame, their mean, and how faces differ from it."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from qm_vae.types import AVERAGE_EYES

NUM_DESCRIPTORS = 5
"""What `descriptor` measures: nose across and down, cheeks, openness of the eyes, openness of the mouth."""

_LEFT_EYE, _RIGHT_EYE, _MOUTH = slice(36, 42), slice(42, 48), slice(48, 68)
_LEFT_CHEEK, _RIGHT_CHEEK, _BRIDGE, _NOSE = 0, 16, 27, 30
_LIMIT = 3.0  # standard deviations: further from the mean a component is taken for a mistake of the landmarker


class ShapeModel(NamedTuple):
  """The shapes of many faces: their mean and the main directions in which they differ (Cootes et al. 1995)."""

  mean: np.ndarray  # float32 [68, 2], pixels of the canonical frame
  basis: np.ndarray  # float32 [Q, 136], orthonormal rows
  deviation: np.ndarray  # float32 [Q], standard deviation of each component, pixels


def frontal(mouth_open: float = 0.0) -> np.ndarray:
  """The 68 landmarks of a plain frontal face, float32 [68, 2] in shares of a square; `mouth_open` is a share, too."""
  points = np.zeros((68, 2))
  angle = np.linspace(np.pi, 0, 17)
  points[:17] = np.c_[0.5 + 0.36 * np.cos(angle), 0.42 + 0.5 * np.sin(angle)]
  arch = 0.3 - 0.03 * np.sin(np.linspace(0, np.pi, 5))
  points[17:22] = np.c_[np.linspace(0.22, 0.44, 5), arch]
  points[22:27] = np.c_[np.linspace(0.56, 0.78, 5), arch]
  points[27:31] = np.c_[np.full(4, 0.5), np.linspace(0.4, 0.58, 4)]
  points[31:36] = np.c_[np.linspace(0.43, 0.57, 5), [0.61, 0.62, 0.63, 0.62, 0.61]]
  eye = np.array([(-0.06, 0), (-0.02, -0.02), (0.02, -0.02), (0.06, 0), (0.02, 0.02), (-0.02, 0.02)])
  points[_LEFT_EYE], points[_RIGHT_EYE] = eye + (0.35, 0.4), eye + (0.65, 0.4)
  for lips, wide, high in ((slice(48, 60), 0.13, 0.04), (slice(60, 68), 0.09, 0.01)):
    turn = np.linspace(np.pi, -np.pi, lips.stop - lips.start, endpoint=False)
    points[lips] = np.c_[0.5 + wide * np.cos(turn), 0.75 - (high + mouth_open / 2) * np.sin(turn)]
  return points.astype(np.float32)


def by_eyes(eyes):
  """Landmarks of a plain frontal face on these eyes, [..., 68, 2] for eyes [..., 4] as in types.Face.

  What is known of a face without a landmark network: where it is, how large and how rolled, and nothing else.
  """
  plain = jnp.asarray(frontal())
  targets = eyes.reshape(*eyes.shape[:-1], 2, 2)
  sources = jnp.broadcast_to(eyes_of(plain).reshape(2, 2), targets.shape)
  return transform(similarity(sources, targets), plain)


def eyes_of(landmarks):
  """Centres of the eyes, [..., 4] as in types.Face, of landmarks [..., 68, 2]."""
  left, right = landmarks[..., _LEFT_EYE, :].mean(-2), landmarks[..., _RIGHT_EYE, :].mean(-2)
  return jnp.concatenate([left, right], -1)


def canonical_eyes(side: int) -> np.ndarray:
  """Where the eyes of the canonical frame are, float32 [4] in pixels of a square of that side."""
  return np.asarray(AVERAGE_EYES, np.float32) * side


def similarity(source, target):
  """The least-squares similarity that takes points onto others: scale, rotation, shift, no reflection.

  Args:
    source: [..., N, 2].
    target: [..., N, 2].

  Returns:
    [..., 2, 3], for `transform`. Points that all coincide give scale 1 and no rotation.

  Source: Umeyama 1991, in the plane, where rotation and scale are one complex number.
  """
  source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
  a, b = source - source_mean, target - target_mean
  squared = jnp.sum(a**2, (-2, -1))
  real = jnp.sum(a * b, (-2, -1))
  imaginary = jnp.sum(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], -1)
  spread = squared > 1e-6
  real = jnp.where(spread, real / jnp.maximum(squared, 1e-6), 1.0)
  imaginary = jnp.where(spread, imaginary / jnp.maximum(squared, 1e-6), 0.0)
  turn = jnp.stack([jnp.stack([real, -imaginary], -1), jnp.stack([imaginary, real], -1)], -2)
  shift = target_mean[..., 0, :] - jnp.einsum("...ij,...j->...i", turn, source_mean[..., 0, :])
  return jnp.concatenate([turn, shift[..., None]], -1)


def transform(matrix, points):
  """Points [..., N, 2] under a similarity [..., 2, 3]."""
  return jnp.einsum("...ij,...nj->...ni", matrix[..., :2], points) + matrix[..., None, :, 2]


def inverse(matrix):
  """The inverse of a similarity [..., 2, 3], its scale above 0."""
  real, imaginary = matrix[..., 0, 0], matrix[..., 1, 0]
  squared = real**2 + imaginary**2
  turn = jnp.stack([jnp.stack([real, imaginary], -1), jnp.stack([-imaginary, real], -1)], -2) / squared[..., None, None]
  return jnp.concatenate([turn, -jnp.einsum("...ij,...j->...i", turn, matrix[..., 2])[..., None]], -1)


def fit(landmarks: np.ndarray, side: int, components: int) -> ShapeModel:
  """The shape model of some faces.

  Args:
    landmarks: float [N, 68, 2], N at least 2, pixels of any crops.
    side: of the canonical frame, pixels; the eyes of the mean shape are at `canonical_eyes(side)`.
    components: directions that are kept, fewer where there are fewer faces.
  """
  landmarks = np.asarray(landmarks, np.float32)
  targets = np.broadcast_to(canonical_eyes(side).reshape(2, 2), (len(landmarks), 2, 2))
  eyes = np.asarray(eyes_of(landmarks)).reshape(-1, 2, 2)
  mean = np.asarray(transform(similarity(eyes, targets), landmarks)).mean(0)
  placed = np.asarray(transform(similarity(landmarks, mean[None]), landmarks))
  offsets = (placed - placed.mean(0)).reshape(len(placed), -1)
  _, spread, rows = np.linalg.svd(offsets, full_matrices=False)
  keep = min(components, len(placed) - 1, rows.shape[0])
  deviation = spread[:keep] / np.sqrt(len(placed) - 1)
  return ShapeModel(placed.mean(0), rows[:keep], np.maximum(deviation, 1e-3).astype(np.float32))


def project(model: ShapeModel, shape):
  """The nearest shape [..., 68, 2] that the model can tell, for a shape in the canonical frame.

  Each component is kept within 3 standard deviations of the mean, so that misplaced landmarks cannot tear a face.
  """
  components = (shape - model.mean).reshape(*shape.shape[:-2], -1) @ model.basis.T
  components = jnp.clip(components / model.deviation, -_LIMIT, _LIMIT) * model.deviation
  return model.mean + (components @ model.basis).reshape(shape.shape)


def descriptor(landmarks):
  """Pose and openness of a face, [..., NUM_DESCRIPTORS], the same wherever and however large it is.

  Where the nose is between eyes and mouth (two numbers), how much further one cheek is than the other (in units of the
  distance from eyes to mouth), and how far eyes and mouth are open (height over width).

  Args:
    landmarks: [..., 68, 2], x, y.
  """
  points = jnp.asarray(landmarks)
  left, right = points[..., _LEFT_EYE, :].mean(-2), points[..., _RIGHT_EYE, :].mean(-2)
  eyes, mouth = (left + right) / 2, points[..., _MOUTH, :].mean(-2)
  down = mouth - eyes
  squared = jnp.maximum(jnp.sum(down**2, -1), 1e-6)
  across = jnp.stack([down[..., 1], -down[..., 0]], -1)
  along = lambda offset, axis: jnp.sum(offset * axis, -1) / squared
  nose = points[..., _NOSE, :] - (eyes + mouth) / 2
  cheeks = points[..., _LEFT_CHEEK, :] + points[..., _RIGHT_CHEEK, :] - 2 * points[..., _BRIDGE, :]
  eye = (_openness(points, (37, 38), (41, 40), 36, 39) + _openness(points, (43, 44), (47, 46), 42, 45)) / 2
  lips = _openness(points, (61, 62, 63), (67, 66, 65), 60, 64)
  return jnp.stack([along(nose, across), along(nose, down), along(cheeks, across), eye, lips], -1)


def _openness(points, upper, lower, corner, other):
  distance = lambda a, b: jnp.sqrt(jnp.sum((points[..., a, :] - points[..., b, :]) ** 2, -1) + 1e-12)
  height = sum(distance(a, b) for a, b in zip(upper, lower, strict=True)) / len(upper)
  return height / jnp.maximum(distance(corner, other), 1e-6)
