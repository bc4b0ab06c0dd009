"""Smoothness: an eye sees edges, an adversarial pattern lives between them."""

import jax.numpy as jnp

from qm_vae import losses

_SOFT = 0.01  # of the range; differences far below cost their square, so that the gradient has no jump at 0


def make() -> losses.Term:
  """Total variation: the mean length of the difference to the pixel below and to the right.

  Source: Rudin, Osher and Fatemi 1992; Mahendran and Vedaldi 2015, Eq. (3) with beta 1.
  """

  def loss(params, frozen, inputs, key):
    del params, frozen, key
    x = inputs.image
    down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    return jnp.mean(jnp.sqrt(jnp.square(down) + jnp.square(right) + _SOFT**2) - _SOFT, (1, 2, 3))

  return losses.Term((), losses.untrained, loss)
