"""A small discriminator of patches: outputs should have the texture of photographs."""

from typing import Any

import jax
import jax.numpy as jnp

from qm_vae import losses
from qm_vae.losses.qm_vae import mse
from qm_vae.models.adversaries import Patches

_STRONGEST = 1e3  # of the adaptive factor: where the discriminator hardly cares, its noise is not blown up


def make(size: int, hidden: int, *, adaptive: bool = False) -> losses.Term:
  """Least squares GAN on patches: photographs towards 1, outputs towards 0, and the generator pays what lacks to 1.

  Args:
    size: side of the faces, pixels.
    hidden: channels of its first layer.
    adaptive: scale what the generator pays so that its gradient is as long as the MSE's, image by image; the term's
      weight is then a ratio of the two, whatever both are in size.

  Source: Mao et al. 2017, Eq. (9); patches after Isola et al. 2017, Sec. 3.2.2; the factor after Esser et al. 2021,
  Eq. (7), there at the decoder's last layer, here at the image.
  """
  network = Patches(hidden)

  def init(key):
    return network.init(key, jnp.zeros((1, size, size, 3)))

  def lacks(params, image):
    made: Any = network.apply(params, image)
    return jnp.mean(jnp.square(made - 1), (1, 2))

  def loss(params, frozen, inputs, key):
    del frozen, key
    pays = lacks(params, inputs.image)
    if not adaptive:
      return pays
    image = jax.lax.stop_gradient(inputs.image)
    length = lambda f: jnp.sqrt(jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(f(x)))(image)), (1, 2, 3)))
    factor = length(lambda x: mse(inputs.face.image, x)) / (length(lambda x: lacks(params, x)) + 1e-8)
    return jax.lax.stop_gradient(jnp.minimum(factor, _STRONGEST)) * pays

  def learn(params, frozen, inputs, key):
    del frozen, key
    shown = (inputs.face.image, inputs.image)
    real, made = (jnp.asarray(network.apply(params, jax.lax.stop_gradient(x))) for x in shown)
    return jnp.mean(jnp.square(real - 1) + jnp.square(made), (1, 2))

  return losses.Term((), init, loss, learn)
