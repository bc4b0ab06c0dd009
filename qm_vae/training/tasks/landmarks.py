"""The task that trains a landmark network, from whose weights a landmarker is made."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.errors import InputError
from qm_vae.faces import shape, warping
from qm_vae.landmarkers import network, preprocess
from qm_vae.losses.qm_vae import masked_mean
from qm_vae.training.state import State, Task

_LEAST_EYES = 1.0  # pixels: eyes are taken to be at least that far apart


def make(
  meta: dict[str, Any],
  optimizer: optax.GradientTransformation,
  *,
  augmentation: Augmentation,
  mean_shape: np.ndarray,
) -> Task:
  """The landmark task: mean distance to the true places in eye distances, as landmarks are reported.

  It has no frozen networks and no weights; both are (). A batch's `landmarks` are float32 [B, 68, 2], pixels of the
  crop.

  Args:
    meta: the network, as landmarkers.describe gives it.
    optimizer: with its learning-rate schedule.
    augmentation: of the training crops; `shift` and `scale` move the landmarks along, `flip` must be 0.
    mean_shape: float [68, 2], shares of the crop's side, from which training starts.

  Raises:
    ValueError: for a `flip` other than 0: a mirrored face has its landmarks in another order.
  """
  if augmentation.flip:
    raise InputError(f"augment.flip is {augmentation.flip}; landmarks cannot be mirrored, set it to 0")
  module, size = network(meta), meta["input_size"]
  light = augmentation._replace(shift=0.0, scale=0.0)

  def init(key, frozen, batch):
    params = module.init(key, jnp.zeros((1, size, size, 3)))["params"]
    params["fc"]["bias"] = jnp.asarray(mean_shape, jnp.float32).reshape(-1)
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), ())

  def predict(params, image):
    return module.apply({"params": params}, preprocess(image, meta)) * image.shape[1]

  def step(state, frozen, batch, weights, key):
    moving, changing = jax.random.split(key)
    image, landmarks = moved(_to_float(batch["image"]), batch["landmarks"], moving, augmentation)
    image = augment(image, changing, light)

    def loss(params):
      error = _error(predict(params, image), landmarks)
      return masked_mean(error, batch["_mask"])[0], {"landmark_error": error, "loss": error}

    gradient, terms = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, ()), terms

  def evaluate(state, frozen, batch, key):
    return {"landmark_error": _error(predict(state.params, _to_float(batch["image"])), batch["landmarks"])}

  return Task(init, step, evaluate)


def export(state: State) -> dict[str, Any]:
  """The variables of the trained network, as io.networks.save and the landmarker take them."""
  return {"params": state.params}


def moved(image, landmarks, key, settings: Augmentation):
  """Crops shifted and scaled about their middle, and their landmarks with them.

  Args:
    image: [B, S, S, 3].
    landmarks: [B, 68, 2], pixels of the crop.
    key: of the draws.
    settings: `shift` and `scale` count; see Augmentation.

  Returns:
    (image, landmarks), of the same shapes; beyond the border the border's pixels go on.
  """
  side = image.shape[1]
  draw = lambda purpose, shape: jax.random.uniform(jax.random.fold_in(key, purpose), shape, minval=-1, maxval=1)
  scale = jnp.exp(settings.scale * draw(0, (len(image), 1, 1)))
  shift = settings.shift * side * draw(1, (len(image), 1, 2))
  landmarks = (landmarks - side / 2) * scale + side / 2 + shift
  rows, columns = jnp.mgrid[:side, :side] + 0.5
  places = (jnp.stack([columns, rows], -1) - side / 2 - shift[:, None]) / scale[:, None] + side / 2
  return jax.vmap(warping.sample)(image, places), landmarks


def _error(found, truth):
  """[B], mean distance of the 68 points in distances between the eyes."""
  eyes = shape.eyes_of(truth)
  apart = jnp.maximum(jnp.hypot(eyes[:, 2] - eyes[:, 0], eyes[:, 3] - eyes[:, 1]), _LEAST_EYES)
  squared = jnp.sum(jnp.square(found - truth), -1)
  return jnp.mean(jnp.sqrt(squared + 1e-6), -1) / apart


def _to_float(image):
  return jnp.asarray(image, jnp.float32) / 255
