"""The task of the paper: train the VQ-VAE so that a frozen service keeps its answers (Qiu et al. 2022, Eq. 7 and 8).

Past the paper, the decoder may receive the answer, the picture may be compared with another target, and further terms
may join the loss (losses/), some with parameters of their own that are trained in the same step.
"""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment, augment_face
from qm_vae.data.batches import to_face
from qm_vae.deidentifiers import region
from qm_vae.losses import LossInputs, Term, qm_vae
from qm_vae.metrics import judging
from qm_vae.models import generator as generators
from qm_vae.models.generator import Generator
from qm_vae.training.state import State, Task
from qm_vae.types import Deidentifier, Service

_CERTAIN = 50.0  # logit of a class that is asked for, against 0: its softmax is 1 in float32


class Asking(NamedTuple):
  """How the decoder of a conditioned generator learns to do without the answer, and to give another."""

  drop: float = 0.0  # share of the examples whose answer is withheld
  other: float = 0.0  # share of the examples for which a class drawn at random is asked


class Picture(NamedTuple):
  """What the MSE compares the output with, and where."""

  target: Deidentifier | None = None  # of the original: a blur, a k-same mean; None: the original itself
  outside_face: bool = False  # only outside the ellipse of the face


_ALWAYS_TOLD, _ORIGINAL = Asking(), Picture()


def make(
  generator: Generator,
  service: Service,
  judges: Mapping[str, Service],
  optimizer: optax.GradientTransformation,
  *,
  service_loss: str,
  augment_faces: Augmentation,
  augment_before_service: Augmentation,
  asking: Asking = _ALWAYS_TOLD,
  picture: Picture = _ORIGINAL,
  terms: Mapping[str, Term] | None = None,
) -> Task:
  """The QM-VAE task.

  `frozen` of its step is {"views": (params, ...), "service": params, "judges": {name: params}} and, where there are
  such, "terms": {name: params} and "target": params; its `weights` are `losses.Weights`. The judges enter `evaluate`
  alone, never a loss. Parameters of terms stand in `State.params["terms"]`.

  Args:
    generator: see generator.py.
    service: the service whose answers are kept; its logits [B, C].
    judges: services of the same classes, in the same order.
    optimizer: Adam 1e-3 in the paper.
    service_loss: one of `losses.SERVICE_LOSSES`.
    augment_faces: flip, contrast and brightness of the training faces; shift, scale, blur and noise are not used here.
    augment_before_service: what the output goes through before the service in the loss. A generator finds patterns that
      please one network at one alignment; those do not survive a shift or a blur, an expression does.
    asking: of a conditioned generator.
    picture: the MSE's other side.
    terms: what else the generator pays, by name; `weights.terms` has a weight for each.
  """
  terms = dict(terms or {})
  learners = {name: term for name, term in terms.items() if term.learn}
  conditioned = generator.condition != "none"

  def answers(frozen, image):
    return service.apply(frozen["service"], image)

  def init(key, frozen, batch):
    params, model_state = generator.init(key, frozen["views"], to_face(batch))
    if learners:
      params |= {"terms": {name: term.init(_fold(key, name)) for name, term in learners.items()}}
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), model_state)

  def ask(answer, key):
    """What the decoder receives, and logits of what the output should bring."""
    condition = generators.condition_of(generator.condition, answer)
    if not conditioned:
      return condition, answer
    drop_key, other_key, class_key = jax.random.split(key, 3)
    num, classes = answer.shape
    other = jax.random.bernoulli(other_key, asking.other, (num, 1))
    wanted = jax.nn.one_hot(jax.random.randint(class_key, (num,), 0, classes), classes)
    # A class that is asked for is never withheld: nothing else tells it.
    dropped = jax.random.bernoulli(drop_key, asking.drop, (num, 1)) & ~other
    condition = jnp.where(dropped, 0.0, jnp.where(other, wanted, condition))
    return condition, jnp.where(other, _CERTAIN * wanted, answer)

  def image_loss(frozen, face, image, key):
    target = face.image
    if picture.target:
      keys = jax.random.split(key, len(face.image))
      target = jax.vmap(picture.target.apply, (None, 0, 0))(frozen["target"], face, keys)
    return qm_vae.mse(target, image, 1 - region.ellipse(face) if picture.outside_face else None)

  def step(state, frozen, batch, weights, key):
    face_key, generator_key, service_key = jax.random.split(key, 3)
    face = augment_face(to_face(batch), face_key, augment_faces)
    condition, target = ask(jax.lax.stop_gradient(answers(frozen, face.image)), _fold(key, "ask"))
    own = {name: state.params["terms"][name] for name in learners}

    def pays(params):
      generated = generator.apply(
        params,
        state.model_state,
        frozen["views"],
        face,
        generator_key,
        train=True,
        mask=batch["_mask"],
        answer=condition,
      )
      seen = augment(generated.image, service_key, augment_before_service)
      output = answers(frozen, seen)
      found = {
        "service": qm_vae.service_loss(service_loss, target, output),
        "mse": image_loss(frozen, face, generated.image, _fold(key, "target")),
        "codebook": generated.quantized.codebook,
        "commitment": generated.quantized.commitment,
      }
      found["loss"] = qm_vae.total(weights, **found)
      inputs = LossInputs(face, generated.image, seen, target, batch["_mask"])
      for name, term in terms.items():
        found[name] = term.loss(own.get(name, ()), frozen["terms"][name], inputs, _fold(key, name))
        found["loss"] += weights.terms[name] * found[name]
      chex.assert_shape([term for name, term in found.items()], (len(face.image),))  # before a mean could hide it
      found["loss_rate_augmented"] = qm_vae.lost(target, output)
      found["code_counts"] = generated.quantized.counts
      return qm_vae.masked_mean(found["loss"], batch["_mask"])[0], (found, inputs, generated.quantized.state)

    def learn(own, inputs):
      each = {
        name: term.learn(own[name], frozen["terms"][name], inputs, _fold(key, name)) for name, term in learners.items()
      }
      return sum(qm_vae.masked_mean(one, batch["_mask"])[0] for one in each.values()), each

    generator_params = {name: one for name, one in state.params.items() if name != "terms"}
    gradient, (found, inputs, model_state) = jax.grad(pays, has_aux=True)(generator_params)
    if learners:
      gradient["terms"], each = jax.grad(learn, has_aux=True)(own, jax.lax.stop_gradient(inputs))
      found |= {f"{name}_learns": one for name, one in each.items()}
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    if learners:
      params["terms"] = {
        name: _renewed(term, params["terms"][name], state.step, key) for name, term in learners.items()
      }
    return State(state.step + 1, params, opt_state, model_state), found

  def generate(state, frozen, face, batch, key, answer):
    return generator.apply(
      state.params, state.model_state, frozen["views"], face, key, train=False, mask=batch["_mask"],
      answer=generators.condition_of(generator.condition_in_use, answer),
    )  # fmt: skip

  def evaluate(state, frozen, batch, key):
    face = to_face(batch)
    answer = answers(frozen, face.image)
    generated = generate(state, frozen, face, batch, key, answer)
    found = {
      "loss_rate": qm_vae.lost(answer, answers(frozen, generated.image)),
      "mse": qm_vae.mse(face.image, generated.image),
      "code_counts": generated.quantized.counts,
    }
    for name, judge in judges.items():
      verdict = judge.apply(frozen["judges"][name], generated.image)
      found[f"judges/{name}"] = judging.differs(verdict, answer.argmax(-1), service.classes).astype(jnp.float32)
    return found

  def pictures(state, frozen, batch, key):
    face = to_face(batch)
    generated = generate(state, frozen, face, batch, key, answers(frozen, face.image))
    columns = jnp.concatenate([face.image[:, None], generated.views, generated.image[:, None]], axis=1)
    rows = jnp.concatenate(list(jnp.moveaxis(columns, 1, 0)), axis=2)  # [B, H, columns * W, 3]
    return rows.reshape(-1, *rows.shape[2:])

  return Task(init, step, evaluate, pictures)


def _fold(key, purpose):
  return jax.random.fold_in(key, zlib.crc32(purpose.encode()))


def _renewed(term, params, step, key):
  """The params, or new ones where their time has come; what the optimiser remembers of the old soon fades."""
  if not term.renew_every:
    return params
  return jax.lax.cond((step + 1) % term.renew_every == 0, lambda: term.init(_fold(key, "renew")), lambda: params)
