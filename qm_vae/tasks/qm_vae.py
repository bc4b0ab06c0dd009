"""The task of the paper: train the VQ-VAE so that a frozen service keeps its answers (Qiu et al. 2022, Eq. 7 and 8)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from qm_vae import losses
from qm_vae.augment import Augmentation, augment
from qm_vae.data.batches import to_face
from qm_vae.generator import Generator
from qm_vae.state import State, Task
from qm_vae.types import Face, Service


def make(
  generator: Generator,
  service: Service,
  judges: Mapping[str, Service],
  optimizer: optax.GradientTransformation,
  *,
  service_loss: str,
  augment_faces: Augmentation,
  augment_before_service: Augmentation,
) -> Task:
  """The QM-VAE task.

  `frozen` of its step is {"views": (params, ...), "service": params, "judges": {name: params}}; its `weights` are
  `losses.Weights`. The judges enter `evaluate` alone, never a loss.

  Args:
    generator: see generator.py.
    service: the service whose answers are kept; its logits [B, C].
    judges: services of the same classes, in the same order.
    optimizer: Adam 1e-3 in the paper.
    service_loss: one of `losses.SERVICE_LOSSES`.
    augment_faces: flip, contrast and brightness of the training faces; shift, scale, blur and noise are not used here.
    augment_before_service: what the output goes through before the service in the loss. A generator finds patterns that
      please one network at one alignment; those do not survive a shift or a blur, an expression does.
  """

  def answers(frozen, image):
    return service.apply(frozen["service"], image)

  def init(key, frozen, batch):
    params, carried = generator.init(key, frozen["views"], to_face(batch))
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), carried)

  def step(state, frozen, batch, weights, key):
    face_key, generator_key, service_key = jax.random.split(key, 3)
    face = _augment_faces(to_face(batch), face_key, augment_faces)
    answer = jax.lax.stop_gradient(answers(frozen, face.image))

    def loss(params):
      generated = generator.apply(
        params, state.carried, frozen["views"], face, generator_key, train=True, mask=batch["_mask"]
      )
      output = answers(frozen, augment(generated.image, service_key, augment_before_service))
      terms = {
        "service": losses.service_loss(service_loss, answer, output),
        "mse": losses.mse(face.image, generated.image),
        "codebook": generated.quantized.codebook,
        "commitment": generated.quantized.commitment,
      }
      terms["loss"] = losses.total(weights, **terms)
      terms["loss_rate_augmented"] = losses.lost(answer, output)
      terms["code_counts"] = generated.quantized.counts
      return losses.masked_mean(terms["loss"], batch["_mask"])[0], (terms, generated.quantized.state)

    gradient, (terms, carried) = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, carried), terms

  def evaluate(state, frozen, batch, key):
    face = to_face(batch)
    generated = generator.apply(
      state.params, state.carried, frozen["views"], face, key, train=False, mask=batch["_mask"]
    )
    answer = answers(frozen, face.image)
    terms = {
      "loss_rate": losses.lost(answer, answers(frozen, generated.image)),
      "mse": losses.mse(face.image, generated.image),
      "code_counts": generated.quantized.counts,
    }
    for name, judge in judges.items():
      verdict = judge.apply(frozen["judges"][name], generated.image)
      terms[f"judges/{name}"] = losses.lost(answer, verdict)
    return terms

  def pictures(state, frozen, batch, key):
    face = to_face(batch)
    generated = generator.apply(
      state.params, state.carried, frozen["views"], face, key, train=False, mask=batch["_mask"]
    )
    columns = jnp.concatenate([face.image[:, None], generated.views, generated.image[:, None]], axis=1)
    rows = jnp.concatenate(list(jnp.moveaxis(columns, 1, 0)), axis=2)  # [B, H, columns * W, 3]
    return rows.reshape(-1, *rows.shape[2:])

  return Task(init, step, evaluate, pictures)


def _augment_faces(face: Face, key, settings: Augmentation) -> Face:
  """The faces mirrored and changed in contrast and brightness; mask and eyes go along."""
  flip_key, light_key = jax.random.split(key)
  last_column = face.image.shape[-2] - 1
  flip = jax.random.bernoulli(flip_key, settings.flip, (len(face.image),))

  def pick(mirrored, plain):
    return jnp.where(flip.reshape(-1, *(1,) * (plain.ndim - 1)), mirrored, plain)

  # The eye at the image's left comes first, so a mirrored pair also changes places.
  eyes = face.eyes[:, jnp.array([2, 3, 0, 1])] * jnp.array([-1, 1, -1, 1]) + jnp.array([1, 0, 1, 0]) * last_column
  image = pick(face.image[:, :, ::-1], face.image)
  light = Augmentation(contrast=settings.contrast, brightness=settings.brightness)
  return Face(
    augment(image, light_key, light),
    pick(face.mask[:, :, ::-1], face.mask),
    pick(eyes, face.eyes),
  )
