"""The train step and its parts, each compiled alone, forward and backward where training needs both.

Shares are of the whole step; what they leave is the optimiser, the EMA codebook and the gain or loss of fusing the
parts.
"""

import jax
import jax.numpy as jnp

from qm_vae.bench import floor, timing, workload
from qm_vae.data.augment import augment
from qm_vae.losses import LossInputs, qm_vae
from qm_vae.models import generator
from qm_vae.training.compile import compile_task
from qm_vae.types import EXPRESSIONS


def measure(load: workload.Workload, rounds: int, peak: floor.Peak) -> dict:
  """Median milliseconds of the step and shares of its parts, images per second, and the step's floor; for JSON."""
  step, program, arguments = stepper(load)
  cost, ends = floor.count(program, *arguments)
  parts = _parts(load, jax.tree.map(jnp.copy, arguments[0]), arguments[-1])  # the step uses up its state
  calls = {"step": step} | {name: _call(program, given) for name, (program, given) in parts.items()}
  times = {name: timing.summary(values) for name, values in timing.in_turns(calls, rounds).items()}
  replicated = times["step"]["ms"]
  return times["step"] | {
    "images_per_second": 1e3 * load.setting.batch_size / replicated,
    "share_of_step": {name: times[name]["ms"] / replicated for name in parts},
    **floor.against(replicated, cost, ends, peak),
  }


def stepper(load: workload.Workload):
  """(a call that takes the next step, the step's program, its arguments for the first step)."""
  key = jax.random.key(0)
  programs = compile_task(load.task, load.setting.batch_size)
  frozen, weights = jax.device_put((load.frozen, load.weights), programs.replicated)
  batch = jax.device_put(load.batch, programs.data_sharded)
  held = [programs.init(key, frozen, batch)]

  def step():
    held[0], terms = programs.step(held[0], frozen, batch, weights, key)
    return held[0], terms

  return step, programs.step, (held[0], frozen, batch, weights, key)


def _call(program, arguments):
  return lambda: program(*arguments)


def _parts(load, state, key):
  """{name: (compiled program, its arguments)}."""
  face, frozen, params = workload.face_of(load.batch), load.frozen, state.params
  channels = workload.channels_of(load, face, key)
  z_e = jax.jit(load.encoder.apply)(params["encoder"], channels)

  def networks(params, channels):
    return jnp.sum(load.decoder.apply(params["decoder"], load.encoder.apply(params["encoder"], channels)) ** 2)

  def answers(x_hat, x, params):
    answer = load.service.apply(params, x)
    output = load.service.apply(params, augment(x_hat, key, load.before_service))
    return jnp.sum(qm_vae.service_loss("cross_entropy", answer, output))

  def ids(model_state, z):
    return load.quantizer.apply(params["quantizer"], model_state, z, key, train=False, mask=None).ids

  parts = {
    "views": (jax.jit(lambda f: generator.make_views(load.views, frozen["views"], f, key)), (face,)),
    "encoder and decoder": (jax.jit(jax.grad(networks)), (params, channels)),
    "search": (jax.jit(ids), (state.model_state, z_e)),
    "service": (jax.jit(jax.grad(answers)), (face.image, face.image, frozen["service"])),
  }
  count = len(face.image)
  inputs = LossInputs(face, face.image, face.image, jnp.zeros((count, len(EXPRESSIONS))), jnp.ones(count))
  for name, term in load.terms.items():
    own = params["terms"].get(name, ())

    def pays(image, own, frozen, inputs, term=term):
      return jnp.sum(term.loss(own, frozen, inputs._replace(image=image, seen=image), key))

    def learns(own, frozen, inputs, term=term):
      return jnp.sum(term.learn(own, frozen, inputs, key))

    parts[name] = (jax.jit(jax.grad(pays)), (inputs.image, own, frozen["terms"][name], inputs))
    if term.learn:
      parts[f"{name} learns"] = (jax.jit(jax.grad(learns)), (own, frozen["terms"][name], inputs))
  return parts


def line(found: dict) -> str:
  """One line on it."""
  shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found["share_of_step"].items())
  low, high = found["middle_half_ms"]
  return (
    f"train step: {found['images_per_second']:.0f} images/s, {found['ms']:.1f} ms (middle half {low:.1f} to "
    f"{high:.1f}); {floor_told(found)}; {shares}"
  )


def floor_told(found: dict) -> str:
  """The floor in words."""
  return (
    f"{found['gflop']:.1f} GFLOP and {found['gbyte']:.2f} GB take at least {found['floor_ms']:.1f} ms, "
    f"{100 * found['share_of_peak']:.0f} % of the peak"
  )
