"""The task that trains AMT-GAN: make-up from a reference, such that recognisers see another person."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation, augment
from qm_vae.faces import makeup
from qm_vae.losses.adversarial import absolute, away, least_squares
from qm_vae.losses.qm_vae import masked_mean
from qm_vae.metrics import images
from qm_vae.models.amt_gan import STRIDE, Discriminator, Generator, Regularizer
from qm_vae.training.state import State, Task
from qm_vae.training.tasks.ugatit import grid
from qm_vae.types import Embedder

REGION_WEIGHTS = (1.0, 0.1, 1.0)
"""Of lips, skin and eyes within the make-up term; the public implementation's."""


class LossWeights(NamedTuple):
  """Weights of the terms: float32 scalars, arguments of the step (Hu et al. 2022, Eq. 9)."""

  gan: jax.Array  # 10 in the public implementation
  cycle: jax.Array  # 10
  makeup: jax.Array  # 2
  identity: jax.Array  # 5
  attack: jax.Array  # 5


class Networks(NamedTuple):
  """The modules."""

  generator: Generator  # G
  regularizer: Regularizer  # H
  discriminator: Discriminator  # D_A of made-up faces, D_B of plain ones


class Side(NamedTuple):
  """Faces of one kind."""

  image: jax.Array  # [B, H, W, 3] in [-1, 1]
  eyes: jax.Array  # [B, 4]
  parts: makeup.Parts  # at a quarter of the size
  regions: jax.Array  # [B, 3, H, W]


def make(
  networks: Networks,
  embedders: Sequence[Embedder],
  optimizer: optax.GradientTransformation,
  *,
  diversity: Augmentation,
  draws: int,
) -> Task:
  """The AMT-GAN task.

  `frozen` is {"embedders": (params, ...), "target": ([D], ...)}, the recognisers and what each makes of the face that
  is to be impersonated; `weights` are Weights. A batch holds plain faces as `image` and `eyes`, made-up ones as
  `other_image` and `other_eyes`, as data.unpaired gives them; who gets whose make-up is drawn at every step. One step
  moves both discriminators, then the generator, then the regularizer.

  Where the public implementation compares pictures by LPIPS, whose network is not at hand, stands 1 - SSIM.

  Args:
    networks: see Networks.
    embedders: recognisers in the graph, at least one.
    optimizer: of every network, each with a state of its own.
    diversity: what the output goes through before a recogniser (input diversity, Xie et al. 2019).
    draws: of `diversity` for every output.
  """
  generator, regularizer, discriminator = networks

  def transfer(params, source, reference, image=None):
    image = source.image if image is None else image
    return generator.apply({"params": params}, image, reference.image, source.parts, reference.parts)

  def purify(params, image):
    return regularizer.apply({"params": params}, image)

  def judge(params, spectral, image, update=False):
    variables = {"params": params, "spectral": spectral}
    if not update:
      return discriminator.apply(variables, image), spectral
    verdict, changed = discriminator.apply(variables, image, update=True, mutable=["spectral"])
    return verdict, changed["spectral"]

  def embed(frozen, image, eyes):
    shown = jnp.clip((image + 1) / 2, 0, 1)
    return [e.apply(params, shown, eyes) for e, params in zip(embedders, frozen["embedders"], strict=True)]

  def init(key, frozen, batch):
    source, reference = sides(batch, jnp.arange(len(batch["image"])))
    source, reference = (jax.tree.map(lambda x: x[:1], side) for side in (source, reference))
    keys = jax.random.split(key, 4)
    parts = (source.parts, reference.parts)
    params = {
      "G": generator.init(keys[0], source.image, reference.image, *parts)["params"],
      "H": regularizer.init(keys[1], source.image)["params"],
    }
    judges = {name: discriminator.init(k, source.image) for name, k in zip(("D_A", "D_B"), keys[2:], strict=True)}
    params |= {name: variables["params"] for name, variables in judges.items()}
    opt_state = {name: optimizer.init(one) for name, one in params.items()}
    spectral = {name: variables["spectral"] for name, variables in judges.items()}
    return State(jnp.zeros((), jnp.int32), params, opt_state, spectral)

  def common_terms(made, same, source, reference, verdict_a, verdict_b):
    """Terms that generator and regularizer share: realism, likeness to the source, make-up of the reference."""
    (made_a, made_b), (same_a, same_b) = made, same
    alike = lambda x, y: 1 - images.ssim(_unsigned(x), _unsigned(y))
    likeness = lambda same, made, real: absolute(same, real) + alike(same, real) + alike(made, real)
    return {
      "gan": 0.5 * (least_squares(verdict_a, 1.0) + least_squares(verdict_b, 1.0)),
      "identity": 0.5 * (likeness(same_a, made_a, source.image) + likeness(same_b, made_b, reference.image)),
      "makeup": 0.5 * (makeup_distance(made_a, source, reference) + makeup_distance(made_b, reference, source)),
    }

  def attack(frozen, key, made, eyes):
    """[B]: mean distance to the target's embedding over recognisers and draws."""
    found = []
    for i in range(draws):
      varied = 2 * augment(_unsigned(made), jax.random.fold_in(key, i), diversity) - 1
      found += [away(e, t) for e, t in zip(embed(frozen, varied, eyes), frozen["target"], strict=True)]
    return sum(found) / len(found)

  def cycle(params, purified, source, reference):
    back_a = purify(params["H"], transfer(params["G"], source, source, purified[0]))
    back_b = purify(params["H"], transfer(params["G"], reference, reference, purified[1]))
    return 0.5 * (absolute(back_a, source.image) + absolute(back_b, reference.image))

  def outputs(params, source, reference):
    made = transfer(params, source, reference), transfer(params, reference, source)
    return made, (transfer(params, source, source), transfer(params, reference, reference))

  def generator_terms(params, spectral, frozen, key, source, reference):
    made, same = outputs(params["G"], source, reference)
    verdicts = [judge(params[n], spectral[n], x)[0] for n, x in zip(("D_A", "D_B"), made, strict=True)]
    terms = common_terms(made, same, source, reference, *verdicts)
    terms["cycle"] = cycle(params, [purify(params["H"], x) for x in made], source, reference)
    keys = jax.random.split(key)
    # Half the mean, as in the public implementation, here and in the regularizer.
    terms["attack"] = 0.25 * (
      attack(frozen, keys[0], made[0], source.eyes) + attack(frozen, keys[1], made[1], reference.eyes)
    )
    return terms

  def regularizer_terms(params, spectral, frozen, source, reference):
    made, same = jax.lax.stop_gradient(outputs(params["G"], source, reference))
    purified, pure_same = ([purify(params["H"], x) for x in pair] for pair in (made, same))
    verdicts = [judge(params[n], spectral[n], x)[0] for n, x in zip(("D_A", "D_B"), purified, strict=True)]
    terms = common_terms(purified, pure_same, source, reference, *verdicts)
    terms["cycle"] = cycle(params, purified, source, reference)
    own = []
    for image, side in zip(purified, (source, reference), strict=True):
      pairs = zip(embed(frozen, image, side.eyes), embed(frozen, side.image, side.eyes), strict=True)
      own += [away(found, jax.lax.stop_gradient(real)) for found, real in pairs]
    terms["attack"] = 0.5 * sum(own) / len(own)  # the regularizer's opposite: the own identity comes back
    return terms

  def total(weights, terms):
    return sum(weight * terms[name] for name, weight in weights._asdict().items())

  def step(state, frozen, batch, weights, key):
    order_key, attack_key = jax.random.split(key)
    source, reference = sides(batch, jax.random.permutation(order_key, len(batch["image"])))
    params, opt_state, spectral = dict(state.params), dict(state.opt_state), dict(state.model_state)
    mean = lambda values: masked_mean(values, batch["_mask"])[0]
    terms = {}

    def move(name, loss):
      gradient, found_terms = jax.grad(lambda one: loss(params | {name: one}), has_aux=True)(params[name])
      updates, opt_state[name] = optimizer.update(gradient, opt_state[name], params[name])
      params[name] = optax.apply_updates(params[name], updates)
      return found_terms

    made, _ = jax.lax.stop_gradient(outputs(params["G"], source, reference))
    for name, real, fake in (("D_A", reference.image, made[0]), ("D_B", source.image, made[1])):

      def of_discriminator(params, name=name, real=real, fake=fake):
        verdict, changed = judge(params[name], spectral[name], jnp.concatenate([real, fake]), update=True)
        loss = 0.5 * (least_squares(verdict[: len(real)], 1.0) + least_squares(verdict[len(real) :], 0.0))
        return mean(loss), (loss, changed)

      terms[name], spectral[name] = move(name, of_discriminator)

    def of_generator(params):
      found = generator_terms(params, spectral, frozen, attack_key, source, reference)
      found["loss"] = total(weights, found)
      return mean(found["loss"]), found

    def of_regularizer(params):
      found = regularizer_terms(params, spectral, frozen, source, reference)
      found["loss"] = total(weights, found)
      return mean(found["loss"]), found

    terms |= move("G", of_generator)
    terms |= {f"regularizer/{name}": value for name, value in move("H", of_regularizer).items()}
    return State(state.step + 1, params, opt_state, spectral), terms

  def evaluate(state, frozen, batch, key):
    source, reference = sides(batch, jnp.arange(len(batch["image"])))
    made = transfer(state.params["G"], source, reference)
    terms = {
      "makeup": makeup_distance(made, source, reference),
      "ssim": images.ssim(*map(_unsigned, (made, source.image))),
    }
    before, after = (embed(frozen, x, source.eyes) for x in (source.image, made))
    count = len(embedders)
    to_target = lambda found: sum(1 - away(e, t) for e, t in zip(found, frozen["target"], strict=True)) / count
    terms |= {"like_target_before": to_target(before), "like_target": to_target(after)}
    return terms | {"like_self": sum(1 - away(a, b) for a, b in zip(before, after, strict=True)) / count}

  def pictures(state, frozen, batch, key):
    source, reference = sides(batch, jnp.arange(len(batch["image"])))
    made = transfer(state.params["G"], source, reference)
    pure = purify(state.params["H"], made)
    back = purify(state.params["H"], transfer(state.params["G"], source, source, pure))
    return grid([source.image, reference.image, made, pure, back, transfer(state.params["G"], source, source)])

  return Task(init, step, evaluate, pictures)


def sides(batch, order) -> tuple[Side, Side]:
  """The plain faces of a batch, and its made-up ones in the order of `order` [B]."""

  def side(prefix, order):
    image, eyes = batch[f"{prefix}image"][order], jnp.asarray(batch[f"{prefix}eyes"])[order]
    shape = image.shape[1:3]
    found = jax.vmap(lambda e: makeup.parts(e, shape, STRIDE))(eyes)
    regions = jax.vmap(lambda e: makeup.regions(e, shape))(eyes)
    return Side(jnp.asarray(image, jnp.float32) / 127.5 - 1, eyes, found, regions)

  return side("", jnp.arange(len(order))), side("other_", order)


def makeup_distance(made, source: Side, reference: Side):
  """[B] grey levels: histogram losses of lips, skin and eyes, weighted by REGION_WEIGHTS."""

  def of_one(made, reference, regions, reference_regions):
    losses = jax.vmap(makeup.histogram_loss, (None, None, 0, 0))(made, reference, regions, reference_regions)
    return jnp.dot(losses, jnp.array(REGION_WEIGHTS))

  return jax.vmap(of_one)(_unsigned(made), _unsigned(reference.image), source.regions, reference.regions)


def export(state: State, reference: dict[str, Any]) -> dict[str, Any]:
  """The variables of the generator and the face whose make-up it takes, in the form of io.networks.save."""
  return {"params": state.params["G"], "reference": reference}


def _unsigned(image):
  return (jnp.clip(image, -1, 1) + 1) / 2
