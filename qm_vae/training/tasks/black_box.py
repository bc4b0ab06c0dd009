"""The task of the paper with services outside the graph: the VQ-VAE learns through a student that learns from answers.

Source: Qiu et al. 2022, Eq. 7 and 8, for the generator; Papernot et al. 2017, "Practical Black-Box Attacks against
Machine Learning", for a substitute that is trained on what it asks.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment, augment_face, mirrored
from qm_vae.data.batches import to_face
from qm_vae.losses import qm_vae
from qm_vae.metrics import images
from qm_vae.models.generator import Generator
from qm_vae.services import answers as qualities
from qm_vae.services import distil
from qm_vae.services.answers import Quality
from qm_vae.services.distil import Student
from qm_vae.training.state import TO_HOST, State, Task
from qm_vae.training.tasks.asking import Host


class LossWeights(NamedTuple):
  """Weights of the terms: float32 scalars, arguments of the step."""

  loss: qm_vae.LossWeights
  services: dict[str, jax.Array]  # name -> >= 0, of each service within L_e
  structure: jax.Array  # >= 0, of 1 - SSIM within L_e


def make(
  generator: Generator,
  service_specs: Mapping[str, Quality],
  student: Student,
  optimizers: Mapping[str, optax.GradientTransformation],
  host: Callable[[pathlib.Path], Host],
  settings: distil.Settings,
  *,
  service_loss: str,
  augment_faces: Augmentation,
  augment_before_service: Augmentation,
) -> Task:
  """The black-box task. Its state holds {"generator", "student"} side by side; there is no service in it.

  Besides faces a training batch carries what `asking.Host` adds: `answers` [B, 1 or 2, width], the services' targets
  for each original and for its mirror image; `arrived` [B, width] and `answered` [B], of which the first Q rows are the
  answers to the questions asked D steps ago. Its terms hold under TO_HOST the next questions.

  L_e is the sum over the services of weight * trust * surrogate, the student standing in for the service on the output,
  plus the weight of the structure times 1 - SSIM. Trust is measured, see distil.trust, and 0 during the warm-up.

  Args:
    generator: see generator.py.
    service_specs: what each service tells, by name.
    student: of these services.
    optimizers: of "generator" and "student".
    host: opens the services for the run in a folder.
    settings: of the student.
    service_loss: one of `losses.SERVICE_LOSSES`.
    augment_faces: of the training faces, see tasks.qm_vae.
    augment_before_service: what the output goes through before it is asked about, and before the student sees it.
  """

  def init(key, frozen, batch):
    generator_key, student_key = jax.random.split(key)
    made, model_state = generator.init(generator_key, frozen["views"], to_face(batch))
    variables = student.init(student_key)
    params = {"generator": made, "student": variables["params"]}
    model_state = {
      "generator": model_state,
      "student": variables["batch_stats"],
      "memory": distil.empty_memory(
        batch["image"].shape[1:], sum(one.width for one in service_specs.values()), settings
      ),
      "fidelity": distil.unmeasured(service_specs),
    }
    opt_state = {name: optimizer.init(params[name]) for name, optimizer in optimizers.items()}
    return State(jnp.zeros((), jnp.int32), params, opt_state, model_state)

  def step(state, frozen, batch, weights, key):
    face_key, generator_key, output_key, ask_key, recall_key, student_key = jax.random.split(key, 6)
    face = augment_face(to_face(batch), face_key, augment_faces)
    flipped = mirrored(face_key, augment_faces, len(face.image))
    answers = batch["answers"]
    answer = jnp.where(flipped[:, None], answers[:, -1], answers[:, 0])
    arrived, answered = batch["arrived"][: settings.questions], batch["answered"][: settings.questions] > 0
    memory, slot = state.model_state["memory"], state.step % settings.delay
    blind = (answered & memory["explored"][slot]).astype(jnp.float32)
    fidelity = distil.measured(
      service_specs, state.model_state["fidelity"], memory["asked_raw"][slot], arrived, blind, settings.decay
    )
    memory = distil.remember(memory, slot, arrived, answered)
    trust = {name: distil.trust(one) * (state.step >= settings.warmup) for name, one in fidelity.items()}

    def loss(params):
      made = generator.apply(
        params, state.model_state["generator"], frozen["views"], face, generator_key, train=True, mask=batch["_mask"]
      )
      seen = augment(made.image, output_key, augment_before_service)
      raw, _ = student.apply(state.params["student"], state.model_state["student"], seen, False, None)
      said, wanted = distil.by_service(service_specs, raw), distil.by_service(service_specs, answer)
      terms, service = {}, weights.structure * (1 - images.ssim(face.image, made.image))
      for name, quality in service_specs.items():
        term = qualities.surrogate(quality, service_loss, wanted[name], said[name])
        service += weights.services[name] * trust[name] * term
        terms[f"student_loss_rate/{name}"] = qualities.lost(
          quality, wanted[name], qualities.decide(quality, said[name])
        )
      terms |= {
        "service": service,
        "mse": qm_vae.mse(face.image, made.image),
        "codebook": made.quantized.codebook,
        "commitment": made.quantized.commitment,
      }
      parts = {name: terms[name] for name in ("service", "mse", "codebook", "commitment")}
      terms["loss"] = qm_vae.total(weights.loss, **parts)
      terms["code_counts"] = made.quantized.counts
      return qm_vae.masked_mean(terms["loss"], batch["_mask"])[0], (terms, made.quantized.state, seen, raw)

    gradient, (terms, model_state, seen, raw) = jax.grad(loss, has_aux=True)(state.params["generator"])
    picture, target, known = distil.recall(memory, recall_key, settings)
    picture = jnp.concatenate([face.image, picture.astype(jnp.float32) / 255])
    target, known = jnp.concatenate([answer, target]), jnp.concatenate([batch["_mask"], known])

    def student_loss(params):
      found, statistics = student.apply(params, state.model_state["student"], picture, True, student_key)
      found, wanted = distil.by_service(service_specs, found), distil.by_service(service_specs, target)
      value = sum(qualities.imitation(quality, wanted[name], found[name]) for name, quality in service_specs.items())
      return qm_vae.masked_mean(value, known)[0], statistics

    (imitation, statistics), student_gradient = jax.value_and_grad(student_loss, has_aux=True)(state.params["student"])
    params, opt_state = {}, {}
    for name, one in (("generator", gradient), ("student", student_gradient)):
      updates, opt_state[name] = optimizers[name].update(one, state.opt_state[name], state.params[name])
      params[name] = optax.apply_updates(state.params[name], updates)

    said = distil.by_service(service_specs, jax.lax.stop_gradient(raw))
    doubt = jnp.max(jnp.stack([qualities.doubt(quality, said[name]) for name, quality in service_specs.items()]), 0)
    rows, asked, explored = distil.choose(doubt, ask_key, settings)
    question = jnp.rint(seen[rows] * 255).astype(jnp.uint8)
    memory |= {
      "asked_image": memory["asked_image"].at[slot].set(question),
      "asked_raw": memory["asked_raw"].at[slot].set(raw[rows]),
      "asked": memory["asked"].at[slot].set(asked),
      "explored": memory["explored"].at[slot].set(explored),
    }
    everywhere = jnp.ones_like(batch["_mask"])
    terms |= {"doubt": doubt, "imitation": imitation * everywhere}
    terms |= {f"trust/{name}": value * everywhere for name, value in trust.items()}
    terms |= {f"fidelity/{name}": distil.trust(one) * everywhere for name, one in fidelity.items()}
    terms[TO_HOST] = {"image": question, "asked": asked}
    model_state = {"generator": model_state, "student": statistics, "memory": memory, "fidelity": fidelity}
    return State(state.step + 1, params, opt_state, model_state), terms

  def evaluate(state, frozen, batch, key):
    face = to_face(batch)
    made = generator.apply(
      state.params["generator"],
      state.model_state["generator"],
      frozen["views"],
      face,
      key,
      train=False,
      mask=batch["_mask"],
    )
    return {
      "mse": qm_vae.mse(face.image, made.image),
      "structure": images.ssim(face.image, made.image),
      "code_counts": made.quantized.counts,
      TO_HOST: {"image": jnp.rint(made.image * 255).astype(jnp.uint8)},
    }

  return Task(init, step, evaluate, host=host)
