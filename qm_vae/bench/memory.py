"""What the compiled step holds in memory, as XLA plans it."""

from qm_vae.bench import train_step, workload


def measure(load: workload.Workload) -> dict:
  """Megabytes of arguments, results and temporary arrays of the train step; for JSON."""
  _, program, arguments = train_step.stepper(load)
  return planned(program, arguments)


def planned(program, arguments: tuple) -> dict:
  """The same of a jitted program called with those arguments; it is not run."""
  planned = program.lower(*arguments).compile().memory_analysis()
  return {
    "arguments_mbyte": planned.argument_size_in_bytes / 2**20,
    "results_mbyte": planned.output_size_in_bytes / 2**20,
    "reused_mbyte": planned.alias_size_in_bytes / 2**20,  # arguments that results are written over
    "temporary_mbyte": planned.temp_size_in_bytes / 2**20,
  }


def line(found: dict) -> str:
  """One line on it."""
  return (
    f"memory of the step: {found['temporary_mbyte']:.0f} MB of temporary arrays, {found['arguments_mbyte']:.1f} MB of "
    f"arguments, of which {found['reused_mbyte']:.1f} MB are written over by the results"
  )
