"""De-identified faces per second: views, encoder, search and decoder, as a finished network is used."""

import jax

from qm_vae.bench import floor, timing, train_step, workload
from qm_vae.models import generator


def measure(load: workload.Workload, rounds: int, peak: floor.Peak) -> dict:
  """Median milliseconds of a batch, faces per second, and the floor; for JSON."""
  key = jax.random.key(0)
  face = workload.face_of(load.batch)
  made = load.generator
  params, model_state = jax.jit(made.init)(key, load.frozen["views"], face)

  def faces(params, model_state, frozen, face, key):
    answer = generator.condition_of(made.condition, load.service.apply(frozen["service"], face.image))
    out = made.apply(params, model_state, frozen["views"], face, key, train=False, mask=None, answer=answer)
    return out.image

  program, arguments = jax.jit(faces), (params, model_state, load.frozen, face, key)
  cost, ends = floor.count(program, *arguments)
  found = timing.summary(timing.in_turns({"faces": lambda: program(*arguments)}, rounds)["faces"])
  return found | {
    "faces_per_second": 1e3 * load.setting.batch_size / found["ms"],
    **floor.against(found["ms"], cost, ends, peak),
  }


def line(found: dict) -> str:
  """One line on it."""
  return f"inference: {found['faces_per_second']:.0f} faces/s, {found['ms']:.1f} ms; {train_step.floor_told(found)}"
