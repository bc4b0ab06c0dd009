"""How far landmarks move, and how open eyes and mouth are, in NumPy on the host."""

from typing import NamedTuple

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import pose

BROWS, NOSE, EYES, MOUTH = slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
"""Places of iBUG 300-W's 68 points (Sagonas et al. 2013); the jaw has 0 to 16."""

STABLE = (36, 39, 42, 45, 31, 35)
"""Corners of the eyes and the nose: points that no expression moves far."""


class LandmarkError(NamedTuple):
  """Mean distance of corresponding landmarks, shares of the original's eye distance; each float64 [...]."""

  whole: np.ndarray
  brows: np.ndarray
  eyes: np.ndarray
  mouth: np.ndarray


class Openings(NamedTuple):
  """Height over width; 0 is closed."""

  eyes: np.ndarray  # float64 [..., 2]: the eye at the image's left, the one at its right
  mouth: np.ndarray  # float64 [...], of the inner lips


def eye_distance(points) -> np.ndarray:
  """Distance between the centres of the eyes' six points each, pixels: [...] of landmarks [..., 68, 2]."""
  return np.linalg.norm(points[..., 36:42, :].mean(-2) - points[..., 42:48, :].mean(-2), axis=-1)


def landmark_error(original, output) -> LandmarkError:
  """How far landmarks moved, as placed: position, size, pose, shape of the face and expression together.

  Its noise floor under a shift by one pixel contains that pixel.

  Args:
    original: [..., 68, 2], x and y in pixels, iBUG 300-W order.
    output: [..., 68, 2], the same faces after de-identification, in the same coordinates.

  Returns:
    LandmarkError; `whole` over all 68 points.

  Raises:
    ValueError: for shapes that differ or are not [..., 68, 2], and for points that are not finite or in one place.

  Source: normalised by the distance of the eyes' centres as by Cao et al. 2012, "Face alignment by explicit shape
  regression"; the outer corners, which the 300-W challenge takes, are about 1.4 times as far apart.
  """
  original, output = _pair(original, output)
  distance = np.linalg.norm(output - original, axis=-1) / eye_distance(original)[..., None]
  parts = [distance[..., part].mean(-1) for part in (BROWS, EYES, MOUTH)]
  return LandmarkError(distance.mean(-1), *parts)


def expression_error(original, output, head=pose.HEAD) -> LandmarkError:
  """How far brows, eyes and mouth moved in the face: position, size and head pose are taken out.

  Both faces are turned to the front by `frontal`; then the similarity that takes the output's corners of eyes and nose
  nearest to the original's is applied. What is left is expression, and the shape of the face: of two neutral people
  it is not 0.

  Args:
    original: [..., 68, 2], as for `landmark_error`.
    output: [..., 68, 2], in any coordinates.
    head: [68, 3], as for `pose.fit`. The closer it is to these faces' average, the less a difference in pose counts as
      one in expression: `head_shape.estimate` makes one from the originals' landmarks.

  Returns:
    LandmarkError; `whole` over the 42 points of brows, eyes and mouth.

  Raises:
    ValueError: as `landmark_error`.
  """
  original, output = (frontal(points, head) for points in _pair(original, output))
  distance = np.linalg.norm(aligned(output, original) - original, axis=-1)
  distance /= eye_distance(original)[..., None]
  brows, eyes, mouth = (distance[..., part] for part in (BROWS, EYES, MOUTH))
  whole = np.concatenate([brows, eyes, mouth], -1)
  return LandmarkError(*(part.mean(-1) for part in (whole, brows, eyes, mouth)))


def frontal(points, head=pose.HEAD) -> np.ndarray:
  """Landmarks as they would be seen from the front.

  The head pose is fitted (`pose.fit`); each point is taken to lie as deep as in the average head, which leaves its
  place in the frontal plane. Errors grow with 1 / cos of yaw and of pitch.

  Args:
    points: [..., 68, 2], x and y in pixels, iBUG 300-W order.
    head: [68, 3], as for `pose.fit`.

  Returns:
    [..., 68, 2] in units of the head; NaN where its depth is not known.

  Raises:
    ValueError: as `pose.fit`.
  """
  points = np.asarray(points, np.float64)
  rotation, scale, shift = pose.fit(points, head)
  seen = (points - shift[..., None, :]) / scale[..., None, None]
  seen = seen - head[:, 2:] * rotation[..., None, :2, 2]
  return np.linalg.solve(rotation[..., None, :2, :2], seen[..., None])[..., 0]


def aligned(points, target) -> np.ndarray:
  """`points` under the similarity that takes their STABLE points nearest to those of `target`; both [..., 68, 2]."""
  of = lambda a: a[..., 0] + 1j * a[..., 1]
  z, w = of(points), of(target)
  stable = list(STABLE)
  centre, there = z[..., stable].mean(-1, keepdims=True), w[..., stable].mean(-1, keepdims=True)
  a, b = z[..., stable] - centre, w[..., stable] - there
  turn = (np.conj(a) * b).sum(-1, keepdims=True) / np.square(np.abs(a)).sum(-1, keepdims=True)
  moved = turn * (z - centre) + there
  return np.stack([moved.real, moved.imag], -1)


def openings(points) -> Openings:
  """Aspect ratios of eyes and mouth.

  A turned head narrows widths: of faces in different poses give the `frontal` landmarks.

  Args:
    points: [..., 68, 2], x and y in pixels, iBUG 300-W order.

  Source: Soukupova and Cech 2016, "Real-time eye blink detection using facial landmarks", Eq. (1); for the mouth the
  mean height of the inner lips at 61-67, 62-66, 63-65 over the distance of their corners.
  """
  points = np.asarray(points, np.float64)
  apart = lambda i, j: np.linalg.norm(points[..., i, :] - points[..., j, :], axis=-1)
  eye = lambda a: (apart(a + 1, a + 5) + apart(a + 2, a + 4)) / (2 * apart(a, a + 3))
  mouth = (apart(61, 67) + apart(62, 66) + apart(63, 65)) / (3 * apart(60, 64))
  return Openings(np.stack([eye(36), eye(42)], -1), mouth)


def opening_difference(original, output) -> Openings:
  """Absolute differences of `openings`: eyes [..., 2], mouth [...].

  Raises:
    ValueError: as `landmark_error`.
  """
  original, output = (openings(points) for points in _pair(original, output))
  return Openings(np.abs(output.eyes - original.eyes), np.abs(output.mouth - original.mouth))


def _pair(original, output):
  original, output = pose.checked(original), pose.checked(output)
  if original.shape != output.shape:
    raise InputError(f"landmarks {original.shape} and {output.shape}; give the same faces")
  return original, output
