"""What the compiled step holds in memory, as XLA plans it."""

import jax

from qm_vae import train
from qm_vae.bench import workload


def measure(load: workload.Workload) -> dict:
  """Megabytes of arguments, results and temporary arrays of the step; nothing is run. For JSON."""
  programs = train.compile_task(load.task, load.setting.batch_size)
  key = jax.eval_shape(lambda: jax.random.key(0))
  state = jax.eval_shape(load.task.init, key, load.frozen, load.batch)
  planned = programs.step.lower(state, load.frozen, load.batch, load.weights, key).compile().memory_analysis()
  return {
    "arguments_mbyte": planned.argument_size_in_bytes / 2**20,
    "results_mbyte": planned.output_size_in_bytes / 2**20,
    "reused_mbyte": planned.alias_size_in_bytes / 2**20,  # arguments that results are written over
    "temporary_mbyte": planned.temp_size_in_bytes / 2**20,
  }


def told(found: dict) -> str:
  """One line on it."""
  return (
    f"memory of the step: {found['temporary_mbyte']:.0f} MB of temporary arrays, {found['arguments_mbyte']:.1f} MB of "
    f"arguments, of which {found['reused_mbyte']:.1f} MB are written over by the results"
  )
