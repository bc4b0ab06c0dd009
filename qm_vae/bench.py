r"""How fast the train step is on this machine, and where its time goes.

  python -m qm_vae.bench                                    # both presets, 64 x 64, batches of 32
  python -m qm_vae.bench --preset=paper --image-size=128 --json=bench.json
  python -m qm_vae.bench --preset=small --mode=private       # as configs/private.py trains

Every part is compiled alone and timed in turn, forward and backward where training needs both; shares are of the whole
step, and what they leave is the optimiser, the EMA codebook and the gain or loss of fusing the parts. Close other
programs first.
"""

import argparse
import itertools
import json
import platform
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qm_vae import generator, losses, train
from qm_vae.augment import Augmentation, augment
from qm_vae.deid import DEIDENTIFIERS
from qm_vae.models import vqvae
from qm_vae.quantize import QUANTIZERS
from qm_vae.services import expression
from qm_vae.tasks import qm_vae
from qm_vae.terms import TERMS, Scene
from qm_vae.types import EXPRESSIONS, Face, Service

VIEWS = ("blindfold", "mosaic", "laplace", "cartoon")
MODES = ("published", "private")
_BEFORE_SERVICE = Augmentation(shift=0.1, scale=0.2, flip=0.5, blur=1.0, contrast=0.2, brightness=0.1, noise=0.02)
_CODE_DIM = 64


def step_and_parts(preset: str, mode: str, size: int, batch_size: int, rounds: int) -> dict:
  """Median milliseconds of the train step and of its parts, and images per second.

  Args:
    preset: a name in `vqvae.PRESETS`.
    mode: one of `MODES`: the paper's step, or that of configs/private.py.
    size: side of the faces, pixels.
    batch_size: faces.
    rounds: timed calls of each program; the programs take turns, so that a disturbance meets all of them.
  """
  key = jax.random.key(0)
  private = mode == "private"
  views = tuple(DEIDENTIFIERS[name]() for name in VIEWS if not private or name != "laplace")
  quantizer = QUANTIZERS["vq"](code_dim=_CODE_DIM, num_codes=64 if private else 512)
  past = {"tokens": 1, "size": size, "condition": "class", "answers": len(EXPRESSIONS)} if private else {}
  made = generator.make(views, vqvae.PRESETS[preset], _CODE_DIM, quantizer, jnp.float32, **past)
  service = _random_service("mini_xception")
  terms, before_service = {}, _BEFORE_SERVICE
  if private:
    ensemble = TERMS["ensemble"]({"other": _random_service("resnet")}, "cross_entropy")
    terms = {"ensemble": ensemble, "discriminator": TERMS["discriminator"](size, 24)}
    before_service = before_service._replace(channels=1.0, jpeg=0.3)
  task = qm_vae.make(
    made,
    service,
    {},
    optax.adam(1e-3),
    service_loss="cross_entropy",
    augment_faces=Augmentation(),
    augment_before_service=before_service,
    terms=terms,
  )
  random = np.random.default_rng(0)
  image = random.integers(0, 256, (batch_size, size, size, 3), np.uint8)
  batch = {
    "image": image,
    "mask": np.ones((batch_size, size, size, 1), np.uint8),
    "eyes": np.tile(np.float32([0.3, 0.4, 0.7, 0.4]) * size, (batch_size, 1)),
    "identity": np.arange(batch_size, dtype=np.int32),
    "label": np.zeros(batch_size, np.int32),
    "_mask": np.ones(batch_size, np.float32),
  }
  frozen = {"views": ((),) * len(views), "service": service.params, "judges": {}, "target": ()}
  frozen["terms"] = {name: term.frozen for name, term in terms.items()}
  weights = losses.Weights(
    jnp.float32(0.4), jnp.float32(0.25), jnp.float32(1.0), {name: jnp.float32(0.1) for name in terms}
  )
  programs = train.compile_task(task, batch_size)
  frozen, weights, batch = jax.device_put((frozen, weights, batch), programs.whole)
  state = programs.init(key, frozen, batch)

  face = Face(image.astype(np.float32) / 255, batch["mask"].astype(np.float32), batch["eyes"])
  face = jax.device_put(face)
  stacked = jax.jit(lambda f: generator.make_views(views, frozen["views"], f, key))(face)
  channels = vqvae.views_to_channels(stacked)
  width, tokens = vqvae.PRESETS[preset], past.get("tokens", 0)
  encoder = vqvae.Encoder(width, _CODE_DIM, tokens=tokens)
  decoder = vqvae.Decoder(
    width, tokens=tokens, grid=(size // vqvae.STRIDE,) * 2, answers=len(EXPRESSIONS) if private else 0
  )
  z_e = jax.jit(encoder.apply)(state.params["encoder"], channels)
  carried, params = state.carried, state.params

  def networks(params, channels):
    return jnp.sum(decoder.apply(params["decoder"], encoder.apply(params["encoder"], channels)) ** 2)

  def answers(x_hat, x, params):
    answer = service.apply(params, x)
    output = service.apply(params, augment(x_hat, key, before_service))
    return jnp.sum(losses.service_loss("cross_entropy", answer, output))

  parts = {
    "views": (jax.jit(lambda f: generator.make_views(views, frozen["views"], f, key)), (face,)),
    "encoder and decoder": (jax.jit(jax.grad(networks)), (params, channels)),
    "search": (
      jax.jit(lambda c, z: quantizer.apply(params["quantizer"], c, z, key, train=False, mask=None).ids),
      (carried, z_e),
    ),
    "service": (jax.jit(jax.grad(answers)), (face.image, face.image, frozen["service"])),
  }
  scene = Scene(face, face.image, face.image, jnp.zeros((batch_size, len(EXPRESSIONS))), jnp.ones(batch_size))
  for name, term in terms.items():
    own = params["terms"].get(name, ())

    def pays(image, own, frozen, scene, term=term):
      return jnp.sum(term.loss(own, frozen, scene._replace(image=image, seen=image), key))

    def learns(own, frozen, scene, term=term):
      return jnp.sum(term.learn(own, frozen, scene, key))

    parts[name] = (jax.jit(jax.grad(pays)), (scene.image, own, frozen["terms"][name], scene))
    if term.learn:
      parts[f"{name} learns"] = (jax.jit(jax.grad(learns)), (own, frozen["terms"][name], scene))
  state = jax.tree.map(jnp.copy, state)  # the step uses up the state it is given; the parts keep theirs
  times = {name: [] for name in ("step", *parts)}
  for turn in range(rounds + 1):  # the first turn compiles
    for name, (program, arguments) in parts.items():
      times[name].append(_milliseconds(program, *arguments)[0])
    taken, (state, _) = _milliseconds(programs.step, state, frozen, batch, weights, key)
    times["step"].append(taken)
    if turn == 0:
      times = {name: [] for name in times}
  median = {name: float(np.median(values)) for name, values in times.items()}
  return {
    "preset": preset,
    "mode": mode,
    "image_size": size,
    "batch_size": batch_size,
    "rounds": rounds,
    "images_per_second": 1e3 * batch_size / median["step"],
    "step_ms": median["step"],
    "share_of_step": {name: median[name] / median["step"] for name in parts},
    "spread_of_step_ms": [float(v) for v in np.percentile(times["step"], [25, 75])],
  }


def _milliseconds(program, *arguments):
  start = time.perf_counter()
  result = jax.block_until_ready(program(*arguments))
  return 1e3 * (time.perf_counter() - start), result


def _random_service(architecture) -> Service:
  """The architecture with random weights: as fast as a trained one."""
  module = expression.network(expression.describe(architecture, 64, EXPRESSIONS))
  variables = jax.jit(module.init)(jax.random.key(1), jnp.zeros((1, 64, 64, 1)))
  return Service(variables, lambda params, image: module.apply(params, expression.preprocess(image, 64)), EXPRESSIONS)


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog="python -m qm_vae.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--preset", choices=tuple(vqvae.PRESETS), action="append", help="default: each in turn")
  parser.add_argument("--mode", choices=MODES, action="append", help="default: published")
  parser.add_argument("--image-size", type=int, default=64, help="side of the faces, pixels (default %(default)s)")
  parser.add_argument("--batch-size", type=int, default=32, help="faces (default %(default)s)")
  parser.add_argument("--rounds", type=int, default=20, help="timed calls of each part (default %(default)s)")
  parser.add_argument("--json", help="also write the figures to this file")
  options = parser.parse_args(arguments)
  device = f"{jax.devices()[0].device_kind}, {platform.machine()}, jax {jax.__version__}"
  rows = []
  chosen = itertools.product(options.preset or vqvae.PRESETS, options.mode or ("published",))
  for preset, mode in chosen:
    row = step_and_parts(preset, mode, options.image_size, options.batch_size, options.rounds) | {"device": device}
    rows.append(row)
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in row["share_of_step"].items())
    low, high = row["spread_of_step_ms"]
    print(
      f"{preset}, {mode}: {row['images_per_second']:.0f} images/s, {row['step_ms']:.1f} ms a step of "
      f"{options.batch_size} (middle half {low:.1f} to {high:.1f}); {shares} ({device})"
    )
  if options.json:
    with open(options.json, "w", encoding="utf-8") as file:
      json.dump(rows, file, indent=1)


if __name__ == "__main__":
  main()
