"""The core of the train step against its twin in another framework, in turns in one process."""

import jax
import numpy as np

from qm_vae.bench import core, timing, train_step, workload
from qm_vae.errors import InputError
from qm_vae.models.presets import PRESETS

_REMEDY = "pip install -r requirements-torch.txt, or leave out --peer"


def twin_of(load: workload.Workload, state: core.Core):
  """The PyTorch twin of a state, with its weights, on the same kind of device.

  Raises:
    ValueError: where PyTorch is missing, or the mode has no twin.
  """
  if load.setting.mode != "published":
    raise InputError(f"--peer has a twin of the mode published alone, not of {load.setting.mode}; leave out --mode")
  try:
    from qm_vae.bench import twin
  except ImportError as error:
    raise InputError(f"--peer=torch needs PyTorch, and {error}; {_REMEDY}") from error
  device = "cuda" if jax.default_backend() == "gpu" else "cpu"
  if device == "cuda" and not twin.sees_a_gpu():
    raise InputError("--peer=torch on a GPU needs a PyTorch that sees it; install its CUDA wheel, or leave out --peer")
  params, model_state, service = jax.device_get((state.params, state.model_state, load.service.params))
  preset = PRESETS[load.setting.preset]
  return twin.Twin(
    preset, params, model_state, service, load.weights, workload.LEARNING_RATE, load.setting.dtype, device
  )


def measure(load: workload.Workload, kind: str, rounds: int) -> dict:
  """Medians of our step, of its core and of the twin's, taken in turns, and the ratios; for JSON.

  The core is what the twin does; our whole step also makes the views and augments.

  Args:
    load: the workload.
    kind: one of `bench.PEERS`; `torch-compile` compiles the twin's step.
    rounds: timed calls of each.

  Raises:
    ValueError: as `twin_of`.
  """
  key, batch_size = jax.random.key(0), load.setting.batch_size
  face = workload.face_of(load.batch)
  views = workload.channels_of(load, face, key)
  state = core.init(load, views, key)
  peer = twin_of(load, state)
  from qm_vae.bench import twin

  device = next(peer.parameters()).device
  theirs = twin.tensor(views, device), twin.tensor(face.image, device)
  peer_step = twin.compiled(peer) if kind == "torch-compile" else peer.step
  whole, _, _ = train_step.stepper(load)
  core_step, held = core.step_of(load), [state]

  def bare():
    held[0], loss = core_step(held[0], load.service.params, views, face.image, load.weights, key)
    return held[0], loss

  calls = {"step": whole, "core": bare, "twin": lambda: twin.finished(peer_step(*theirs))}
  times = timing.in_turns(calls, rounds)
  found = {name: timing.summary(values) for name, values in times.items()}
  for name in ("step", "core"):
    ratio = times["twin"] / times[name]  # of neighbours in time
    found[name]["ratio"] = found["twin"]["ms"] / found[name]["ms"]
    found[name]["middle_half_of_ratio"] = [float(v) for v in np.percentile(ratio, [25, 75])]
  for one in found.values():
    one["images_per_second"] = 1e3 * batch_size / one["ms"]
  return found | {"kind": kind, "version": twin.VERSION, "threads": twin.threads()}


def line(found: dict) -> str:
  """One line on it."""
  rates = {name: found[name]["images_per_second"] for name in ("step", "core", "twin")}
  said = {}
  for name in ("step", "core"):
    low, high = found[name]["middle_half_of_ratio"]
    said[name] = f"{found[name]['ratio']:.2f} times the twin (middle half {low:.2f} to {high:.2f})"
  return (
    f"{found['kind']} {found['version']}, {found['threads']} threads: twin {rates['twin']:.0f} images/s; "
    f"the same work here {rates['core']:.0f}, {said['core']}; the whole step, with views and augmentation, "
    f"{rates['step']:.0f}, {said['step']}; n = {found['twin']['n']} each"
  )
