"""The task that trains a network of attributes, each yes or no, from whose weights a service is made."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.losses.qm_vae import masked_mean
from qm_vae.services.attributes import preprocess
from qm_vae.services.expression import network
from qm_vae.training.state import State, Task


def make(
  meta: dict[str, Any],
  optimizer: optax.GradientTransformation,
  *,
  augmentation: Augmentation,
  label_smoothing: float,
) -> Task:
  """The attributes task. It has no frozen networks and no weights; both are (). Its state carries batch statistics.

  A batch's `attributes` [B, A] are 1 where an attribute is present, else 0.

  Args:
    meta: the network, as services.attributes.describe gives it.
    optimizer: with its learning-rate schedule.
    augmentation: of the training images.
    label_smoothing: [0, 1), the share by which a target is drawn towards one half.
  """
  module, size = network(meta), meta["input_size"]

  def init(key, frozen, batch):
    variables = module.init(key, jnp.zeros((1, size, size, 3)))
    params = variables["params"]
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), variables["batch_stats"])

  def step(state, frozen, batch, weights, key):
    augment_key, dropout_key = jax.random.split(key)
    x = preprocess(augment(_to_float(batch["image"]), augment_key, augmentation), size)
    target = (1 - label_smoothing) * batch["attributes"] + label_smoothing / 2

    def loss(params):
      variables = {"params": params, "batch_stats": state.model_state}
      logits, changed = module.apply(variables, x, train=True, mutable=["batch_stats"], rngs={"dropout": dropout_key})
      terms = _terms(logits, batch["attributes"])
      terms["loss"] = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, target), -1)
      return masked_mean(terms["loss"], batch["_mask"])[0], (terms, changed["batch_stats"])

    gradient, (terms, batch_stats) = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, batch_stats), terms

  def evaluate(state, frozen, batch, key):
    variables = {"params": state.params, "batch_stats": state.model_state}
    return _terms(module.apply(variables, preprocess(_to_float(batch["image"]), size)), batch["attributes"])

  return Task(init, step, evaluate)


def _to_float(image):
  return jnp.asarray(image, jnp.float32) / 255


def _terms(logits, present):
  return {"correct": jnp.mean(((logits > 0) == (present > 0.5)).astype(jnp.float32), -1)}
