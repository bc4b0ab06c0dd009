"""The task that trains an expression network, from whose weights a service is made."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.losses.qm_vae import masked_mean
from qm_vae.services.expression import network, preprocess
from qm_vae.training.state import State, Task


def make(
  meta: dict[str, Any],
  optimizer: optax.GradientTransformation,
  *,
  augmentation: Augmentation,
  label_smoothing: float,
) -> Task:
  """The classifier task. It has no frozen networks and no weights; both are ().

  Its state carries the batch statistics. Examples of unknown label (below 0) train nothing and are 0 in every term; the
  term `labelled` tells which they are.

  Args:
    meta: the network, as services.expression.describe gives it; a label is an index into its classes.
    optimizer: with its learning-rate schedule.
    augmentation: of the training images.
    label_smoothing: [0, 1), the share of a label that is spread over all classes.
  """
  module, size, num_classes = network(meta), meta["input_size"], len(meta["classes"])

  def init(key, frozen, batch):
    variables = module.init(key, jnp.zeros((1, size, size, 1)))
    params = variables["params"]
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), variables["batch_stats"])

  def step(state, frozen, batch, weights, key):
    augment_key, dropout_key = jax.random.split(key)
    x = preprocess(augment(_to_float(batch["image"]), augment_key, augmentation), size)

    def loss(params):
      variables = {"params": params, "batch_stats": state.model_state}
      logits, changed = module.apply(variables, x, train=True, mutable=["batch_stats"], rngs={"dropout": dropout_key})
      terms = _terms(logits, batch["label"], num_classes)
      terms["loss"] = _cross_entropy(logits, batch["label"], num_classes, label_smoothing)
      mean, _ = masked_mean(terms["loss"], batch["_mask"] * terms["labelled"])
      return mean, (terms, changed["batch_stats"])

    gradient, (terms, batch_stats) = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, batch_stats), terms

  def evaluate(state, frozen, batch, key):
    logits = module.apply(export(state), preprocess(_to_float(batch["image"]), size))
    return _terms(logits, batch["label"], num_classes)

  return Task(init, step, evaluate)


def export(state: State) -> dict[str, Any]:
  """The variables of the trained network, as io.networks.save and the service take them."""
  return {"params": state.params, "batch_stats": state.model_state}


def _to_float(image):
  return jnp.asarray(image, jnp.float32) / 255


def _terms(logits, label, num_classes):
  labelled = (label >= 0).astype(jnp.float32)
  return {
    "correct": labelled * (jnp.argmax(logits, -1) == label),
    "cross_entropy": _cross_entropy(logits, label, num_classes, 0.0),
    "labelled": labelled,
  }


def _cross_entropy(logits, label, num_classes, smoothing):
  """[B] float32, nats; one_hot of an unknown label is all zeros, and so is its term."""
  target = jax.nn.one_hot(label, num_classes)
  target = (1 - smoothing) * target + smoothing * jnp.sum(target, -1, keepdims=True) / num_classes
  return optax.softmax_cross_entropy(logits.astype(jnp.float32), target)
