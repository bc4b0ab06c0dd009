"""Losses of networks that are trained against discriminators, one value per example."""

import jax
import jax.numpy as jnp


def least_squares(verdict, wanted):
  """Mean squared distance of a discriminator's verdict from what it should be.

  Args:
    verdict: [B, ...], patches or logits.
    wanted: 1.0 where it should say real, 0.0 where it should say made.

  Returns:
    [B] float32.

  Source: Mao et al. 2017, "Least Squares Generative Adversarial Networks", Eq. (9).
  """
  return jnp.mean(jnp.square(verdict.astype(jnp.float32) - wanted).reshape(len(verdict), -1), -1)


def cross_entropy(logits, wanted):
  """Binary cross-entropy of logits, nats, mean over all but the first axis.

  Args:
    logits: [B, ...].
    wanted: 1.0 or 0.0, the same for all.

  Returns:
    [B] float32.
  """
  logits = logits.astype(jnp.float32)
  return jnp.mean((jax.nn.softplus(logits) - wanted * logits).reshape(len(logits), -1), -1)


def absolute(x, y):
  """Mean absolute difference over all but the first axis, [B] float32."""
  return jnp.mean(jnp.abs(x.astype(jnp.float32) - y).reshape(len(x), -1), -1)


def away(embedding, target):
  """1 - cosine between embeddings [..., D] of length 1: 0 for the same direction, 2 for the opposite one."""
  return 1 - jnp.sum(embedding * target, -1)
