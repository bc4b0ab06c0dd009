"""The task that trains a face embedder: faces of one person together, those of two people apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.losses.qm_vae import arcface, masked_mean
from qm_vae.training.state import State, Task
from qm_vae.types import Embedder


class Trainable(NamedTuple):
  """An embedder that can be trained, as two pure functions."""

  init: Callable  # (key, frozen, batch) -> (params, carried)
  apply: Callable  # (params, carried, batch, key, *, train) -> (embedding [B, D] of length 1, carried)


class Start(NamedTuple):
  """What training starts from."""

  network: Any = ()  # for `Trainable.init`
  people: Any = ()  # [num_people, D], a direction for each person of the margin loss; () draws them


def make(
  network: Trainable, num_people: int, optimizer: optax.GradientTransformation, *, margin: float, towards: float
) -> Task:
  """The embedder task; it has no weights, and `frozen` is a Start.

  The loss is ArcFace over the people of the batch's `identity`, integers [B] in [0, num_people), below 0 unknown; with
  `towards` it adds 1 - cosine to `batch["target"]`, embeddings [B, D] of length 1 of a teacher.

  Evaluation gives the same distance as `target_distance` where there is a target, and as `nearest` the share of faces
  whose nearest neighbour in the batch is the same person, with `has_mate` the share for whom this is possible.

  Args:
    network: see Trainable.
    num_people: classes of the margin loss.
    optimizer: with its learning-rate schedule.
    margin: radians, of ArcFace.
    towards: >= 0, weight of the distance to the teacher's embedding; 0 for no teacher.
  """

  def init(key, frozen, batch):
    network_key, people_key = jax.random.split(key)
    params, model_state = network.init(network_key, frozen.network, batch)
    people = frozen.people
    if isinstance(people, tuple):
      shape = jax.eval_shape(lambda: network.apply(params, model_state, batch, key, train=False)[0]).shape
      people = jax.random.normal(people_key, (num_people, shape[-1]))
    params = {"network": params, "people": _unit(jnp.asarray(people))}
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), model_state)

  def step(state, frozen, batch, weights, key):
    def loss(params):
      embedding, model_state = network.apply(params["network"], state.model_state, batch, key, train=True)
      terms = {"arcface": arcface(embedding, params["people"], batch["identity"], margin=margin)}
      terms["loss"] = terms["arcface"]
      if towards:
        terms |= _target_distance(embedding, batch)
        terms["loss"] = terms["loss"] + towards * terms["target_distance"]
      return masked_mean(terms["loss"], batch["_mask"])[0], (terms, model_state)

    gradient, (terms, model_state) = jax.grad(loss, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    return State(state.step + 1, optax.apply_updates(state.params, updates), opt_state, model_state), terms

  def evaluate(state, frozen, batch, key):
    embedding, _ = network.apply(state.params["network"], state.model_state, batch, key, train=False)
    same = (batch["identity"][:, None] == batch["identity"]) & (batch["identity"] >= 0)
    same = same & ~jnp.eye(len(embedding), dtype=bool) & (batch["_mask"] > 0)
    alike = embedding @ embedding.T - 3 * jnp.eye(len(embedding)) - 3 * (batch["_mask"] == 0)
    has_mate = same.any(-1).astype(jnp.float32)
    nearest = jnp.take_along_axis(same, jnp.argmax(alike, -1)[:, None], -1)[:, 0]
    return {"nearest": has_mate * nearest, "has_mate": has_mate} | (
      _target_distance(embedding, batch) if towards else {}
    )

  return Task(init, step, evaluate)


def adapt(embedder: Embedder, augmentation: Augmentation) -> Trainable:
  """An embedder that is trained further; its params are `Start.network`, and its batch statistics stay.

  Args:
    embedder: its params are {"params": ..., and what is not trained}; the batch gives it "image" and "eyes".
    augmentation: of the training images.
  """

  def init(key, frozen, batch):
    fixed = {name: part for name, part in frozen.items() if name != "params"}
    return jax.tree.map(jnp.asarray, frozen["params"]), jax.tree.map(jnp.asarray, fixed)

  def apply(params, model_state, batch, key, *, train):
    batch = _disturbed(batch, key, augmentation) if train else batch | {"image": _to_float(batch["image"])}
    return embedder.apply({"params": params} | model_state, batch["image"], batch["eyes"]), model_state

  return Trainable(init, apply)


def _target_distance(embedding, batch):
  return {"target_distance": 1 - jnp.sum(embedding * batch["target"], -1)}


def network(module, see: Callable, augmentation: Augmentation) -> Trainable:
  """A Flax module with batch statistics, to be trained from the start.

  Args:
    module: `(x, train) -> [B, D]`, not yet of length 1.
    see: batch -> x as the module wants it; where the batch holds an "image" it comes as float32 in [0, 1], augmented.
    augmentation: of the training images; all 0 for inputs that are no images.
  """

  def seen(batch, key=None):
    if "image" in batch and key is not None:
      return see(_disturbed(batch, key, augmentation))
    return see(batch | {"image": _to_float(batch["image"])} if "image" in batch else batch)

  def init(key, frozen, batch):
    variables = module.init(key, seen(batch))
    return variables["params"], {name: part for name, part in variables.items() if name != "params"}

  def apply(params, model_state, batch, key, *, train):
    variables = {"params": params} | model_state
    if not train:
      return _unit(module.apply(variables, seen(batch))), model_state
    embedding, changed = module.apply(variables, seen(batch, key), train=True, mutable=list(model_state))
    return _unit(embedding), dict(changed)

  return Trainable(init, apply)


def _disturbed(batch, key, augmentation):
  """The batch with its images augmented, and with the eyes of those that were mirrored where they then are."""
  image, eyes = _to_float(batch["image"]), batch["eyes"]
  mirrored = jax.random.uniform(jax.random.fold_in(key, 0), (len(image), 1)) < augmentation.flip
  width = image.shape[2]
  other = jnp.stack([width - eyes[:, 2], eyes[:, 3], width - eyes[:, 0], eyes[:, 1]], 1)
  image = jnp.where(mirrored[..., None, None], image[:, :, ::-1], image)
  image = augment(image, jax.random.fold_in(key, 1), augmentation._replace(flip=0.0))
  return batch | {"image": image, "eyes": jnp.where(mirrored, other, eyes)}


def export(state: State) -> dict[str, Any]:
  """The variables of a network that was trained from the start, as io.networks.save takes them."""
  return {"params": state.params["network"]} | state.model_state


def _to_float(image):
  return jnp.asarray(image, jnp.float32) / 255


def _unit(x):
  return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
