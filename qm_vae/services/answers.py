"""What a service may tell of a picture, and when two of its answers are the same; one value per example.

An *answer* is [..., names] as a service gives it: probabilities of the classes, probabilities of the attributes, or the
values, NaN throughout where the service finds nothing to measure. A *target* is the same with finite numbers
only: values carry one more column, which is 1 where they were given and 0 where not. *Raw* is a network's output of the
target's shape: logits, or the values themselves and the logit of their being given.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.losses import qm_vae

KINDS = ("classes", "attributes", "values")
"""One of several, any of several, and numbers."""

_SURE = 1e-6  # probabilities below it have this one's logarithm


class Quality(NamedTuple):
  """What one service tells."""

  kind: str  # one of KINDS
  names: tuple[str, ...]  # of the classes, attributes or values, in the order of the answers
  tolerance: tuple[float, ...] = ()  # values: how far each may move and still be the same, in its own unit, > 0

  @property
  def width(self) -> int:
    """Columns of a target."""
    return len(self.names) + (self.kind == "values")


def check(quality: Quality) -> None:
  """Returns when a quality is whole.

  Raises:
    ValueError: naming what it has and what is allowed.
  """
  if quality.kind not in KINDS:
    raise InputError(f"kind is {quality.kind!r}; it must be one of {', '.join(KINDS)}")
  least = 2 if quality.kind == "classes" else 1
  if len(quality.names) < least or len(set(quality.names)) < len(quality.names):
    raise InputError(f"names are {quality.names}; {quality.kind} need at least {least}, each once")
  wanted = len(quality.names) if quality.kind == "values" else 0
  if len(quality.tolerance) != wanted or any(not 0 < one < np.inf for one in quality.tolerance):
    raise InputError(
      f"tolerance is {quality.tolerance}; {quality.kind} need {wanted or 'no'} numbers{' above 0' * bool(wanted)}"
    )


def to_target(quality: Quality, answer: np.ndarray) -> np.ndarray:
  """float32 [..., width] on the host; see the module."""
  answer = np.asarray(answer, np.float32)
  if quality.kind != "values":
    return answer
  is_known = np.isfinite(answer).all(-1, keepdims=True)
  return np.concatenate([np.where(is_known, answer, 0), is_known], -1).astype(np.float32)


def decide(quality: Quality, raw: jax.Array) -> jax.Array:
  """The target that a network's raw output stands for, [..., width]."""
  if quality.kind == "classes":
    return jax.nn.softmax(raw, -1)
  if quality.kind == "attributes":
    return jax.nn.sigmoid(raw)
  return jnp.concatenate([raw[..., :-1], jax.nn.sigmoid(raw[..., -1:])], -1)


def lost(quality: Quality, target: jax.Array, other: jax.Array) -> jax.Array:
  """How much of an answer is another one in `other`, [...] float32 in [0, 1].

  0 or 1 for classes (Qiu et al. 2022, Eq. 8) and for values, which are lost together when one of them moves further
  than its tolerance, or when they are given on one side only; for attributes the share of them that changed.

  Args:
    quality: see Quality.
    target: [..., width].
    other: [..., width], a target too.
  """
  if quality.kind == "classes":
    return qm_vae.lost(target, other)
  if quality.kind == "attributes":
    return jnp.mean(((target > 0.5) != (other > 0.5)).astype(jnp.float32), -1)
  moved = (jnp.abs(target - other)[..., :-1] > jnp.asarray(quality.tolerance)).any(-1)
  is_known, still = target[..., -1] > 0.5, other[..., -1] > 0.5
  return ((is_known != still) | (is_known & moved)).astype(jnp.float32)


def surrogate(quality: Quality, kind: str, target: jax.Array, raw: jax.Array) -> jax.Array:
  """The service's term L_e, [...] float32: what a generator lowers so that `lost` falls.

  For values, whatever surrogate is asked for: the cross-entropy of their being given, and where they were given Huber's
  loss of the differences in units of the tolerances.

  Args:
    quality: see Quality.
    kind: one of losses.SERVICE_LOSSES; `literal` is `lost` itself, without a gradient.
    target: [..., width], the service's answer on the original.
    raw: [..., width], a network's on the output.
  """
  if quality.kind == "classes":
    return qm_vae.service_loss(kind, jnp.log(jnp.maximum(target, _SURE)), raw)
  if kind == "literal":
    return lost(quality, target, decide(quality, raw))
  if quality.kind == "values":
    return _distance_of_values(quality, target, raw)
  if kind == "kl":
    return jnp.mean(_binary(target, raw) - _binary(target, _logit(target)), -1)
  hard = (target > 0.5).astype(jnp.float32)
  if kind == "expected":
    return jnp.mean(jnp.abs(hard - jax.nn.sigmoid(raw)), -1)
  return jnp.mean(_binary(hard, raw), -1)


def imitation(quality: Quality, target: jax.Array, raw: jax.Array) -> jax.Array:
  """The loss of a student that is to answer as the service does, [...] float32; labels suffice."""
  if quality.kind == "classes":
    return -jnp.sum(target * jax.nn.log_softmax(raw, -1), -1)
  if quality.kind == "attributes":
    return jnp.mean(_binary(target, raw), -1)
  return _distance_of_values(quality, target, raw)


def doubt(quality: Quality, raw: jax.Array) -> jax.Array:
  """How little a network is sure of its decision, [...] float32 in [0, 1].

  1 less the lead of the first class over the second; for attributes the mean, for values that of their being given.
  """
  if quality.kind == "classes":
    first, second = jnp.moveaxis(jax.lax.top_k(jax.nn.softmax(raw, -1), 2)[0], -1, 0)
    return 1 - (first - second)
  p = jax.nn.sigmoid(raw if quality.kind == "attributes" else raw[..., -1:])
  return jnp.mean(1 - jnp.abs(2 * p - 1), -1)


def _distance_of_values(quality, target, raw):
  difference = (raw - target)[..., :-1] / jnp.asarray(quality.tolerance)
  size = jnp.abs(difference)
  huber = jnp.where(size < 1, 0.5 * jnp.square(size), size - 0.5)
  return _binary(target[..., -1], raw[..., -1]) + target[..., -1] * jnp.mean(huber, -1)


def _binary(target, logit):
  """Cross-entropy of a probability and a logit, nats."""
  return jax.nn.softplus(logit) - target * logit


def _logit(p):
  p = jnp.clip(p, _SURE, 1 - _SURE)
  return jnp.log(p) - jnp.log1p(-p)
