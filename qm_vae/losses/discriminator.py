"""A small discriminator of patches: outputs should have the texture of photographs."""

from typing import Any

import jax
import jax.numpy as jnp

from qm_vae import losses
from qm_vae.models.adversaries import Patches


def make(size: int, hidden: int) -> losses.Term:
  """Least squares GAN on patches: photographs towards 1, outputs towards 0, and the generator pays what lacks to 1.

  Args:
    size: side of the faces, pixels.
    hidden: channels of its first layer.

  Source: Mao et al. 2017, Eq. (9); patches after Isola et al. 2017, Sec. 3.2.2.
  """
  network = Patches(hidden)

  def init(key):
    return network.init(key, jnp.zeros((1, size, size, 3)))

  def loss(params, frozen, inputs, key):
    del frozen, key
    made: Any = network.apply(params, inputs.image)
    return jnp.mean(jnp.square(made - 1), (1, 2))

  def learn(params, frozen, inputs, key):
    del frozen, key
    shown = (inputs.face.image, inputs.image)
    real, made = (jnp.asarray(network.apply(params, jax.lax.stop_gradient(x))) for x in shown)
    return jnp.mean(jnp.square(real - 1) + jnp.square(made), (1, 2))

  return losses.Term((), init, loss, learn)
