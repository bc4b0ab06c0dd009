"""An attacker in the loop: it learns to tell the person from the output while the generator learns to prevent it."""

import jax
import jax.numpy as jnp

from qm_vae import losses
from qm_vae.models.adversaries import Listener
from qm_vae.options import member
from qm_vae.types import Embedder

_SCALE = 16.0  # of cosines between unit vectors in a softmax; ArcFace networks use 16 to 64


@member(needs="recognisers")
def make(embedder: Embedder, size: int, renew_every: int) -> losses.Term:
  """Nats of identity that the listener hears, at least: max(0, log B - cross-entropy of who is who in the batch).

  The listener guesses the frozen embedding of the original from the output and is right where its guess is nearer to
  the embedding of that original than to the others' of the batch. Log B less its cross-entropy is a lower bound of the
  mutual information between output and embedding; the generator pays it, the listener is paid for it.

  Args:
    embedder: a frozen recogniser in the graph.
    size: side of the faces, pixels.
    renew_every: steps after which a new listener begins; a generator finds the blind spots of one that stays.

  Source: van den Oord et al. 2018, Eq. (4) and (5) (InfoNCE); min-max as in Wu et al. 2018 (privacy by adversarial
  training), which restarts its adversary for the same reason.
  """
  dim = jax.eval_shape(
    embedder.apply, embedder.params, jnp.zeros((1, size, size, 3)), jnp.zeros((1, 4), jnp.float32)
  ).shape[-1]
  network = Listener(dim)

  def init(key):
    return network.init(key, jnp.zeros((1, size, size, 3)))

  def cross_entropy(params, frozen, inputs, image):
    found = jnp.asarray(network.apply(params, image))
    known = jax.lax.stop_gradient(embedder.apply(frozen, inputs.face.image, inputs.face.eyes))
    alike = jnp.where(inputs.mask > 0, _SCALE * found @ known.T, -jnp.inf)
    own = jnp.diagonal(_SCALE * found @ known.T)
    return jax.nn.logsumexp(alike, -1) - own

  def loss(params, frozen, inputs, key):
    del key
    nats = jnp.log(jnp.maximum(jnp.sum(inputs.mask), 1.0)) - cross_entropy(params, frozen, inputs, inputs.image)
    return jnp.maximum(nats, 0.0)

  def learn(params, frozen, inputs, key):
    del key
    return cross_entropy(params, frozen, inputs, jax.lax.stop_gradient(inputs.image))

  return losses.Term(embedder.params, init, loss, learn, renew_every)
