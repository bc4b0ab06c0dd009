"""Identity: no frozen face recogniser may find the output more alike to the original than a margin allows."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from qm_vae import losses
from qm_vae.options import member
from qm_vae.types import Embedder


@member(needs="recognisers")
def make(embedders: Mapping[str, Embedder], margin: float) -> losses.Term:
  """The mean over recognisers of max(0, cosine(original, output) - margin), through each one's own alignment.

  Args:
    embedders: frozen recognisers in the graph; an attacker that judges must be another one.
    margin: cosine in [-1, 1] up to which nothing is paid; for most recognisers two strangers are near 0.

  Source: the hinge of Gafni et al. 2019 and of Wu et al. 2019 (PP-GAN), on cosines.
  """

  def loss(params, frozen, inputs, key):
    del params, key
    each = []
    for name, one in embedders.items():
      before = jax.lax.stop_gradient(one.apply(frozen[name], inputs.face.image, inputs.face.eyes))
      after = one.apply(frozen[name], inputs.image, inputs.face.eyes)
      each.append(jnp.maximum(jnp.sum(before * after, -1) - margin, 0.0))
    return sum(each) / len(each)

  return losses.Term({name: one.params for name, one in embedders.items()}, losses.untrained, loss)
