"""A process that takes one step and tells how long it took: python -m qm_vae.bench.first_step CACHE SETTING."""

import time

_BEGAN = time.perf_counter()

import json  # noqa: E402 - the clock starts before the imports, which are part of what is measured
import sys  # noqa: E402

import jax  # noqa: E402

from qm_vae.bench import workload  # noqa: E402
from qm_vae.io import cache as compilation_cache  # noqa: E402
from qm_vae.training.compile import compile_task  # noqa: E402


def main(cache: str, setting: str) -> None:
  """Prints {"import_seconds", "peak_mbyte"} after the first step; the peak is None where no `resource` tells it."""
  imported = time.perf_counter() - _BEGAN
  compilation_cache.use(cache)
  load = workload.make(workload.Setting(**json.loads(setting)))
  programs = compile_task(load.task, load.setting.batch_size)
  key = jax.random.key(0)
  frozen, weights = jax.device_put((load.frozen, load.weights), programs.replicated)
  batch = jax.device_put(load.batch, programs.data_sharded)
  state = programs.init(key, frozen, batch)
  jax.block_until_ready(programs.step(state, frozen, batch, weights, key))
  print(json.dumps({"import_seconds": imported, "peak_mbyte": _peak()}))


def _peak():
  try:
    import resource  # of POSIX alone
  except ImportError:
    return None
  unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
  main(*sys.argv[1:])
