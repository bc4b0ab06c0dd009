"""The task that trains U-GAT-IT: two generators, one each way, against two discriminators on each side."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.losses.adversarial import absolute, cross_entropy, least_squares
from qm_vae.losses.qm_vae import masked_mean
from qm_vae.models.ugatit import Discriminator, Generator, Judged, clip_rho
from qm_vae.training.state import State, Task

GENERATORS = ("genA2B", "genB2A")
DISCRIMINATORS = ("disGA", "disGB", "disLA", "disLB")
"""Global and local ones of the first kind of picture, A, and the second, B; named as in the public implementation."""


class LossWeights(NamedTuple):
  """Weights of the generators' terms: float32 scalars, arguments of the step (Kim et al. 2020, Eq. 6)."""

  adversarial: jax.Array  # 1 in the paper
  cycle: jax.Array  # 10
  identity: jax.Array  # 10
  cam: jax.Array  # 1000


class Networks(NamedTuple):
  """The modules; those of one line share their architecture, not their parameters."""

  generator: Generator
  whole: Discriminator  # disGA, disGB
  local: Discriminator  # disLA, disLB


def make(
  networks: Networks, optimizer: optax.GradientTransformation, *, augmentation: Augmentation, average: float
) -> Task:
  """The U-GAT-IT task; no frozen networks, and `weights` are Weights.

  A batch holds pictures of A as `image` and of B as `other_image`, uint8 [B, S, S, 3], as data.unpaired gives them. One
  step moves the discriminators, then the generators against the moved ones. The state carries the vectors of the
  spectral norms and a moving average of the generators, which is what evaluates, and is exported.

  Args:
    networks: see Networks.
    optimizer: of the generators and, with a state of its own, of the discriminators.
    augmentation: of the training pictures.
    average: [0, 1), share of the moving average that stays at a step; less in the first steps.
  """

  def translate(params, name, x):
    return networks.generator.apply({"params": params[name]}, x)

  def judge(params, spectral, name, x, update=False):
    module = networks.whole if name[3] == "G" else networks.local
    variables = {"params": params[name], "spectral": spectral[name]}
    if not update:
      return module.apply(variables, x), spectral[name]
    judged, changed = module.apply(variables, x, update=True, mutable=["spectral"])
    return judged, changed["spectral"]

  def init(key, frozen, batch):
    x = _signed(batch["image"][:1])
    keys = jax.random.split(key, 6)
    generators = {name: networks.generator.init(k, x)["params"] for name, k in zip(GENERATORS, keys[:2], strict=True)}
    modules = [networks.whole if name[3] == "G" else networks.local for name in DISCRIMINATORS]
    made = {n: m.init(k, x) for n, m, k in zip(DISCRIMINATORS, modules, keys[2:], strict=True)}
    discriminators = {name: variables["params"] for name, variables in made.items()}
    model_state = {"spectral": {name: variables["spectral"] for name, variables in made.items()}, "average": generators}
    opt_state = {"generators": optimizer.init(generators), "discriminators": optimizer.init(discriminators)}
    params = {"generators": generators, "discriminators": discriminators}
    return State(jnp.zeros((), jnp.int32), params, opt_state, model_state)

  def discriminators_loss(params, spectral, real, made):
    terms, changed = {}, {}
    for name in DISCRIMINATORS:
      kind = name[4]
      judged, changed[name] = judge(params, spectral, name, jnp.concatenate([real[kind], made[kind]]), update=True)
      count = len(real[kind])
      on_real, on_made = Judged(*(x[:count] for x in judged)), Judged(*(x[count:] for x in judged))
      terms[name] = sum(least_squares(x, 1.0) for x in on_real) + sum(least_squares(x, 0.0) for x in on_made)
    return terms, changed

  def generators_terms(params, discriminators, spectral, real):
    to_b, to_a = translate(params, "genA2B", real["A"]), translate(params, "genB2A", real["B"])
    back_a, back_b = translate(params, "genB2A", to_b.image), translate(params, "genA2B", to_a.image)
    same_a, same_b = translate(params, "genB2A", real["A"]), translate(params, "genA2B", real["B"])
    made = {"A": to_a.image, "B": to_b.image}
    verdicts = [judge(discriminators, spectral, name, made[name[4]])[0] for name in DISCRIMINATORS]
    return {
      "adversarial": sum(least_squares(x, 1.0) for verdict in verdicts for x in verdict),
      "cycle": absolute(back_a.image, real["A"]) + absolute(back_b.image, real["B"]),
      "identity": absolute(same_a.image, real["A"]) + absolute(same_b.image, real["B"]),
      "cam": sum(cross_entropy(x.cam, 1.0) for x in (to_a, to_b))
      + sum(cross_entropy(x.cam, 0.0) for x in (same_a, same_b)),
    }

  def step(state, frozen, batch, weights, key):
    keys = jax.random.split(key)
    real = {kind: _signed(batch[name]) for kind, name in (("A", "image"), ("B", "other_image"))}
    real = {
      kind: 2 * augment((x + 1) / 2, k, augmentation) - 1 for (kind, x), k in zip(real.items(), keys, strict=True)
    }
    generators, discriminators = state.params["generators"], state.params["discriminators"]
    made = {
      "A": translate(generators, "genB2A", real["B"]).image,
      "B": translate(generators, "genA2B", real["A"]).image,
    }
    mean = lambda values: masked_mean(values, batch["_mask"])[0]

    def loss_of_discriminators(params):
      terms, spectral = discriminators_loss(params, state.model_state["spectral"], real, jax.lax.stop_gradient(made))
      terms["discriminators"] = weights.adversarial * sum(terms.values())
      return mean(terms["discriminators"]), (terms, spectral)

    def loss_of_generators(params, discriminators, spectral):
      terms = generators_terms(params, discriminators, spectral, real)
      terms["loss"] = sum(weight * terms[name] for name, weight in weights._asdict().items())
      return mean(terms["loss"]), terms

    gradient, (judged, spectral) = jax.grad(loss_of_discriminators, has_aux=True)(discriminators)
    updates, of_discriminators = optimizer.update(gradient, state.opt_state["discriminators"], discriminators)
    discriminators = optax.apply_updates(discriminators, updates)
    gradient, terms = jax.grad(loss_of_generators, has_aux=True)(generators, discriminators, spectral)
    updates, of_generators = optimizer.update(gradient, state.opt_state["generators"], generators)
    generators = clip_rho(optax.apply_updates(generators, updates))
    stays = jnp.minimum(average, (1 + state.step) / (10 + state.step))
    averaged = optax.incremental_update(generators, state.model_state["average"], 1 - stays)
    new = State(
      state.step + 1,
      {"generators": generators, "discriminators": discriminators},
      {"generators": of_generators, "discriminators": of_discriminators},
      {"spectral": spectral, "average": averaged},
    )
    return new, terms | judged

  def evaluate(state, frozen, batch, key):
    real = {"A": _signed(batch["image"]), "B": _signed(batch["other_image"])}
    model_state = state.model_state
    return generators_terms(model_state["average"], state.params["discriminators"], model_state["spectral"], real)

  def pictures(state, frozen, batch, key):
    params, columns = state.model_state["average"], []
    for name, there, back in (("image", *GENERATORS), ("other_image", *GENERATORS[::-1])):
      x = _signed(batch[name])
      made = translate(params, there, x)
      columns += [x, _heat(made.heat, x.shape[1]), made.image, translate(params, back, made.image).image]
    return grid(columns)

  return Task(init, step, evaluate, pictures)


def grid(columns) -> jax.Array:
  """One picture [B * S, columns * S, 3] in [0, 1] of images [B, S, S, 3] in [-1, 1], a row for each example."""
  rows = jnp.concatenate([(jnp.clip(x, -1, 1) + 1) / 2 for x in columns], 2)
  return rows.reshape(-1, *rows.shape[2:])


def export(state: State) -> dict[str, Any]:
  """The variables of the generator from A to B, as io.networks.save and deidentifiers/_ugatit.py take them."""
  return {"params": state.model_state["average"]["genA2B"]}


def _signed(image):
  return jnp.asarray(image, jnp.float32) / 127.5 - 1


def _heat(heat, side):
  """[B, side, side, 3] in [-1, 1]: bright where the attention lies, each picture on its own scale."""
  low, high = jnp.min(heat, (1, 2), keepdims=True), jnp.max(heat, (1, 2), keepdims=True)
  heat = jax.image.resize((heat - low) / jnp.maximum(high - low, 1e-6), (len(heat), side, side), "linear")
  return jnp.repeat(2 * heat[..., None] - 1, 3, -1)
