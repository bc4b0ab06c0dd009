"""The task that trains an image-to-image network: from what a method made of a face back to the face."""

import jax
import jax.numpy as jnp
import optax

from qm_vae.losses.qm_vae import masked_mean
from qm_vae.metrics import images
from qm_vae.training.state import State, Task


def make(module, optimizer: optax.GradientTransformation) -> Task:
  """The translator task; no frozen networks, no weights.

  A batch holds `image` and `wanted`, uint8 [B, S, S, 3]; the loss is their mean absolute difference after translation,
  which blurs less than the mean square.

  Args:
    module: a Flax module, image [B, S, S, 3] in [0, 1] to the same.
    optimizer: with its learning-rate schedule.
  """

  def init(key, frozen, batch):
    params = module.init(key, _to_float(batch["image"]))
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), ())

  def terms(params, batch):
    difference = module.apply(params, _to_float(batch["image"])) - _to_float(batch["wanted"])
    return {"loss": jnp.mean(jnp.abs(difference), (1, 2, 3))}

  def step(state, frozen, batch, weights, key):
    def loss(params):
      found = terms(params, batch)
      return masked_mean(found["loss"], batch["_mask"])[0], found

    gradient, found = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, ()), found

  def evaluate(state, frozen, batch, key):
    image = module.apply(state.params, _to_float(batch["image"]))
    return terms(state.params, batch) | {"ssim": images.ssim(image, _to_float(batch["wanted"]))}

  return Task(init, step, evaluate)


def _to_float(image):
  return jnp.asarray(image, jnp.float32) / 255
