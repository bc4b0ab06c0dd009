"""The terms of Eq. (7), one value per example."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from qm_vae.errors import InputError


class LossWeights(NamedTuple):
  """Weights of the terms: float32 scalars, arguments of the step, so that a grid over them compiles once."""

  alpha: jax.Array  # in [0, 1], the service against the image
  beta: jax.Array  # >= 0, the commitment; 0.25 in the paper
  service: jax.Array  # >= 0, multiplies L_e; 1 is Eq. (7)
  terms: Any = ()  # {name: >= 0}, of what goes past Eq. (7)


def lost(answer_logits, output_logits):
  """Whether the service answers differently for the output than for the original.

  Args:
    answer_logits: [B, C] the service's logits on the originals.
    output_logits: [B, C] its logits on the outputs.

  Returns:
    [B] float32 in {0, 1}; its gradient is zero everywhere.

  Source: Qiu et al. 2022, Eq. (8).
  """
  return (jnp.argmax(answer_logits, -1) != jnp.argmax(output_logits, -1)).astype(jnp.float32)


def _is_answer(answer_logits):
  """[B, C] bool: the class that the service answers on the original."""
  return jax.nn.one_hot(jnp.argmax(answer_logits, -1), answer_logits.shape[-1], dtype=bool)


def _expected(answer_logits, output_logits):
  p = jax.nn.softmax(output_logits.astype(jnp.float32), -1)
  # The sum of the others: 1 - p(answer) would round to 0 long before they do.
  return jnp.sum(jnp.where(_is_answer(answer_logits), 0.0, p), -1)


def _cross_entropy(answer_logits, output_logits):
  log_p = jax.nn.log_softmax(output_logits.astype(jnp.float32), -1)
  return -jnp.sum(jnp.where(_is_answer(answer_logits), log_p, 0.0), -1)


def _kl(answer_logits, output_logits):
  log_p = jax.nn.log_softmax(answer_logits.astype(jnp.float32), -1)
  log_q = jax.nn.log_softmax(output_logits.astype(jnp.float32), -1)
  return jnp.sum(jnp.exp(log_p) * (log_p - log_q), -1)


_SERVICE = {"literal": lost, "expected": _expected, "cross_entropy": _cross_entropy, "kl": _kl}
SERVICE_LOSSES = tuple(_SERVICE)


def service_loss(kind, answer_logits, output_logits):
  """The service's term L_e.

  Args:
    kind: one of SERVICE_LOSSES. `literal` is Eq. (8), without a gradient; `expected` is 1 - p(answer | output), its
      differentiable expectation; `cross_entropy` is -log p(answer | output); `kl` is KL(p(original) || p(output)).
    answer_logits: [B, C] the service's logits on the originals; no gradient flows into them.
    output_logits: [B, C] its logits on the outputs.

  Returns:
    [B] float32, >= 0 up to rounding; in [0, 1] for `literal` and `expected`, in nats for the others.

  Raises:
    ValueError: for another kind.

  Source: Qiu et al. 2022, Eq. (8).
  """
  if kind not in _SERVICE:
    raise InputError(f"service_loss {kind!r} is unknown; choose one of {', '.join(SERVICE_LOSSES)}")
  return _SERVICE[kind](jax.lax.stop_gradient(answer_logits), output_logits)


def mse(x, x_hat, mask=None):
  """Mean squared difference over pixels and channels.

  Args:
    x: [B, H, W, C] in [0, 1].
    x_hat: [B, H, W, C].
    mask: [B, H, W, 1] in {0, 1}, the pixels that count; all of them when None.

  Returns:
    [B] float32; 0 where no pixel counts.
  """
  squared = jnp.square(x_hat.astype(jnp.float32) - x.astype(jnp.float32))
  if mask is None:
    return jnp.mean(squared, (-3, -2, -1))
  pixels = jnp.sum(mask, (-3, -2, -1), dtype=jnp.float32)
  return jnp.sum(squared * mask, (-3, -2, -1)) / (jnp.maximum(pixels, 1.0) * x.shape[-1])


def total(weights, service, mse, codebook, commitment):
  """The whole loss.

  Args:
    weights: Weights.
    service: [B] L_e, of `service_loss`.
    mse: [B] of `mse`.
    codebook: [B] || sg[z_e] - e ||^2.
    commitment: [B] || z_e - sg[e] ||^2, without beta.

  Returns:
    [B] alpha * service weight * L_e + (1 - alpha) * MSE + codebook + beta * commitment.

  Source: Qiu et al. 2022, Eq. (7).
  """
  image = (1 - weights.alpha) * mse
  return weights.alpha * weights.service * service + image + codebook + weights.beta * commitment


def arcface(embedding, people, identity, *, margin=0.3, scale=32.0):
  """Additive angular margin loss: cross-entropy over people, with the angle to the right one made larger.

  Args:
    embedding: [B, D] of length 1.
    people: [P, D], one direction per person; of any length.
    identity: int [B] in [0, P); below 0 where nobody knows, which gives 0.
    margin: radians, added to the angle between a face and its own person.
    scale: factor of the cosines.

  Returns:
    [B] float32, nats.

  Source: Deng et al. 2019, Eq. (3); where the angle would pass pi, the cosine less margin * sin(margin), as there.
  """
  people = people / jnp.maximum(jnp.linalg.norm(people, axis=-1, keepdims=True), 1e-12)
  cosine = jnp.clip(embedding @ people.T, -1 + 1e-6, 1 - 1e-6)
  with_margin = cosine * jnp.cos(margin) - jnp.sqrt(1 - jnp.square(cosine)) * jnp.sin(margin)
  with_margin = jnp.where(cosine > -jnp.cos(margin), with_margin, cosine - margin * jnp.sin(margin))
  own = jax.nn.one_hot(identity, len(people))
  log_p = jax.nn.log_softmax(scale * jnp.where(own > 0, with_margin, cosine), -1)
  return -jnp.sum(own * log_p, -1)


def masked_mean(values, mask):
  """Mean over the examples that are not padding, and how many there were.

  Args:
    values: [B].
    mask: [B] in {0, 1}, 0 for padding, whose value may be anything, NaN included.

  Returns:
    (mean, n): float32 scalars; the mean is 0 where n is 0, so that an empty batch trains nothing.
  """
  real = mask > 0
  n = jnp.sum(real, dtype=jnp.float32)
  return jnp.sum(jnp.where(real, values, 0.0)) / jnp.maximum(n, 1.0), n
