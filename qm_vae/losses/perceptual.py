"""Perceptual distance: pictures that look alike to a network trained on faces, rather than pixel by pixel."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from qm_vae import losses
from qm_vae.options import member


@member(needs="ensemble")
def make(features: Callable[[Any, jax.Array], list[jax.Array]], params: Any) -> losses.Term:
  """Mean over layers of the squared distance between unit feature vectors of output and original, position by position.

  Args:
    features: (params, image [B, H, W, 3]) -> maps [B, h, w, C] of several layers, see services.expression.features.
    params: of that network; it may not judge.

  Source: Zhang et al. 2018, Eq. (1), with all weights w_l equal; Johnson et al. 2016.
  """

  def loss(own, frozen, inputs, key):
    del own, key
    wanted = jax.lax.stop_gradient(features(frozen, inputs.face.image))
    found = features(frozen, inputs.image)
    apart = [jnp.mean(jnp.sum(jnp.square(_unit(x) - _unit(y)), -1), (1, 2)) for x, y in zip(wanted, found, strict=True)]
    return sum(apart) / len(apart)

  return losses.Term(params, losses.untrained, loss)


def _unit(x):
  return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + 1e-6)
