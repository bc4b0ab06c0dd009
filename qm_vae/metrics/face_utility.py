"""What of a face is kept besides an expression: geometry, pose, openings, light, colour, detail, realism."""

from collections.abc import Callable, Mapping

import numpy as np

from qm_vae.metrics import color, floor, geometry, intervals, lighting, pose, realism, sharpness

UNITS = {
  "landmarks": "eye distances",
  "landmarks_mouth": "eye distances",
  "landmarks_eyes": "eye distances",
  "landmarks_brows": "eye distances",
  "expression": "eye distances",
  "yaw": "degrees",
  "pitch": "degrees",
  "roll": "degrees",
  "eye_opening": "height over width",
  "mouth_opening": "height over width",
  "light": "degrees",
  "skin": "CIEDE2000",
  "detail": "share of the original's",
}
"""Every measure of `face_utility` and its unit; all but `detail` are 0 for the original itself."""

REALISM = {"frechet": realism.frechet, "kernel": realism.kernel}
"""Distances between the set of outputs and the set of originals, by what they are called in a report."""


def face_utility(
  original: np.ndarray,
  output: np.ndarray,
  eyes: np.ndarray,
  identity: np.ndarray,
  find_landmarks: Callable[[np.ndarray], np.ndarray] | None,
) -> dict[str, dict]:
  """Mean of every measure over the faces, with n and a 95 % interval over people.

  Args:
    original: uint8 [N, S, S, 3], N at least 1.
    output: the same faces after de-identification.
    eyes: float [N, 4] as in types.Face, as found in the original.
    identity: int [N]; types.UNKNOWN where nobody is known.
    find_landmarks: uint8 [N, S, S, 3] -> [N, 68, 2], pixels; None: what needs landmarks is left out.

  Returns:
    {name of UNITS: {"value", "n", "low", "high"}}; a measure that says nothing of these pictures, as landmarks of faces
    that are blurred away, has "value" None and a "reason".
  """
  found = {}
  if find_landmarks is not None:
    found |= _of_landmarks(find_landmarks(original), find_landmarks(output), identity)
  sound = np.linalg.norm(eyes[:, 2:] - eyes[:, :2], axis=1) >= 2  # pixels; below it no region can be placed
  parts = original[sound], output[sound], eyes[sound]
  found["light"] = _mean(lambda: lighting.light_angle(*parts), identity[sound])
  found["skin"] = _mean(lambda: color.skin_difference(*parts), identity[sound])
  found["detail"] = _mean(lambda: np.minimum(sharpness.detail_kept(*parts), 4.0), identity[sound])
  return found


def _of_landmarks(first, second, identity):
  try:
    error = geometry.landmark_error(first, second)
    expression = geometry.expression_error(first, second)
    turned = pose.pose_difference(first, second)
    opened = geometry.opening_difference(first, second)
  except ValueError as problem:
    names = [name for name in UNITS if name not in ("light", "skin", "detail")]
    return {name: _nothing(len(first), str(problem)) for name in names}
  values = {
    "landmarks": error.whole,
    "landmarks_mouth": error.mouth,
    "landmarks_eyes": error.eyes,
    "landmarks_brows": error.brows,
    "expression": expression.whole,
    **dict(zip(("yaw", "pitch", "roll"), np.moveaxis(np.asarray(turned), -1, 0), strict=True)),
    "eye_opening": np.asarray(opened.eyes).mean(-1),
    "mouth_opening": opened.mouth,
  }
  return {name: _mean(lambda column=column: column, identity) for name, column in values.items()}


def realism_of(
  original: np.ndarray, output: np.ndarray, identity: np.ndarray, features: Callable[[np.ndarray], np.ndarray]
) -> dict[str, dict]:
  """Frechet and kernel distance of the outputs of one half of the people from the originals of the other half.

  Args:
    original: uint8 [N, S, S, 3].
    output: the same faces after de-identification.
    identity: int [N].
    features: uint8 [N, S, S, 3] -> [N, D] of a network that judged nothing else.

  Returns:
    {name of REALISM: as realism.between_halves}, or "value" None and a "reason" where there are too few people.
  """
  first = np.asarray(features(original), np.float64)
  second = np.asarray(features(output), np.float64)
  try:
    first, second = realism.standardized(first, first), realism.standardized(second, first)
    return {name: realism.between_halves(first, second, measure, identity) for name, measure in REALISM.items()}
  except ValueError as problem:
    return {name: _nothing(len(original), str(problem)) for name in REALISM}


def floors(original, eyes, identity, find_landmarks) -> Mapping[str, dict]:
  """`face_utility` of the originals after each of floor.DISTURBANCES: what the measures cannot resolve."""
  return {
    name: face_utility(original, disturb(original), eyes, identity, find_landmarks)
    for name, disturb in floor.DISTURBANCES.items()
  }


def _mean(values, identity):
  try:
    values = np.asarray(values(), np.float64)
  except ValueError as problem:
    return _nothing(len(identity), str(problem))
  finite = np.isfinite(values)
  if not finite.any():
    return _nothing(len(values), "no face allows it")
  values, identity = values[finite], np.asarray(identity)[finite]
  low, span = values.min(), max(float(np.ptp(values)), 1e-12)
  scaled = intervals.bootstrap_by_identity((values - low) / span, identity)
  return {
    "value": float(values.mean()),
    "n": len(values),
    "low": float(low + span * scaled.low),
    "high": float(low + span * scaled.high),
  }


def _nothing(n, reason):
  return {"value": None, "n": n, "low": None, "high": None, "reason": reason}
