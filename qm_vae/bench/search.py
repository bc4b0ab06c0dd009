"""The search for the nearest codes, alone."""

import jax

from qm_vae.bench import floor, timing, train_step, workload
from qm_vae.models import vqvae
from qm_vae.quantizers.nearest import nearest


def measure(load: workload.Workload, rounds: int, peak: floor.Peak) -> dict:
  """Median milliseconds for the encodings of one batch, encodings per second, and the floor; for JSON."""
  side = load.setting.image_size // vqvae.STRIDE
  count = load.setting.batch_size * (load.encoder.tokens or side * side)
  found, cost, ends = timed(count, load.quantizer.num_codes, rounds)
  # Distances that never leave the cache are no bytes moved.
  return found | floor.against(found["ms"], cost._replace(moved=0.0), ends, peak)


def timed(encodings: int, codes: int, rounds: int) -> tuple[dict, floor.Cost, float]:
  """(figures for JSON, and of `floor.count`) of a search for so many encodings among so many codes."""
  keys = jax.random.split(jax.random.key(0))
  z, e = (jax.random.normal(k, (n, workload.CODE_DIM)) for k, n in zip(keys, (encodings, codes), strict=True))
  program = jax.jit(nearest)
  memory = program.lower(z, e).compile().memory_analysis()
  found = timing.summary(timing.in_turns({"search": lambda: program(z, e)}, rounds)["search"])
  found |= {
    "encodings": encodings,
    "codes": codes,
    "encodings_per_second": 1e3 * encodings / found["ms"],
    "temporary_mbyte": memory.temp_size_in_bytes / 2**20,
    "all_distances_mbyte": 4 * encodings * codes / 2**20,
  }
  return found, *floor.count(program, z, e)


def line(found: dict) -> str:
  """One line on it."""
  return (
    f"search: {found['encodings']} encodings among {found['codes']} codes in {found['ms']:.2f} ms with "
    f"{found['temporary_mbyte']:.1f} MB (all distances would be {found['all_distances_mbyte']:.1f}); "
    f"{train_step.floor_told(found)}"
  )
