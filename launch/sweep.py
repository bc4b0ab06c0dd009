r"""Runs an experiment once for every point of its `sweep()`.

  python -m launch.sweep --config=configs/table1.py                            # prints the commands
  python -m launch.sweep --config=configs/table1.py --runner=local             # runs them one after the other
  python -m launch.sweep --config=configs/alpha04.py --seeds=0,1,2 --runner=local -- --config.data.limit=200

What follows `--` goes to every run. A run that is done already is only evaluated again, so a sweep that was killed
goes on with the same command. Runs lie in OUT/POINT; what is finished is merged into OUT/sweep.md and sweep.png, and
failures are listed at the end.
"""

import argparse
import importlib.util
import itertools
import pathlib
import shlex
import subprocess
import sys

from qm_vae.report import sweep


def points(config: str, seeds: list[int]) -> list[dict]:
  """Overrides of every run: the file's `sweep()` (one empty point without it) times the seeds.

  Raises:
    ValueError: when the file cannot be read.
  """
  path = pathlib.Path(config.partition(":")[0])
  if not path.is_file():
    raise ValueError(f"{path} does not exist; give the file of an experiment, for instance configs/table1.py")
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  own = list(module.sweep()) if hasattr(module, "sweep") else [{}]
  return [point | {"seed": seed} for point, seed in itertools.product(own, seeds)]


def command(config: str, point: dict, workdir: pathlib.Path, extra: list[str]) -> list[str]:
  """The arguments that run one point in `workdir`."""
  overrides = [f"--config.{key}={value}" for key, value in point.items()]
  return [sys.executable, "-m", "qm_vae.main", f"--config={config}", f"--workdir={workdir}", *overrides, *extra]


def name_of(point: dict) -> str:
  """A folder name for a point: {'alpha': 0.4, 'seed': 0} -> 'alpha=0.4,seed=0'; a tuple is told by its members."""
  told = {key: "+".join(map(str, value)) if isinstance(value, tuple) else value for key, value in point.items()}
  return ",".join(f"{key}={value}" for key, value in told.items())


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog="python -m launch.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--config", required=True, help="FILE or FILE:DATA, as for qm_vae.main")
  parser.add_argument("--runner", choices=("print", "local"), default="print")
  parser.add_argument("--seeds", default="0", help="comma-separated (default %(default)s)")
  parser.add_argument("--out", help="folder of the runs (default runs/FILE-sweep)")
  parser.add_argument("extra", nargs="*", help="further flags of qm_vae.main, after --")
  options = parser.parse_args(arguments)
  out = pathlib.Path(options.out or f"runs/{pathlib.Path(options.config.partition(':')[0]).stem}-sweep")
  try:
    wanted = points(options.config, [int(seed) for seed in options.seeds.split(",")])
  except ValueError as error:
    parser.error(str(error))
  failed = []
  for number, point in enumerate(wanted, 1):
    line = command(options.config, point, out / name_of(point), options.extra)
    print(shlex.join(line), flush=True)
    if options.runner == "local":
      print(f"[{number}/{len(wanted)}] {name_of(point)}", flush=True)
      if subprocess.run(line, check=False).returncode:
        failed.append(name_of(point))
  if options.runner == "local":
    print(f"{sweep.write(out)} of {len(wanted)} runs are merged in {out / 'sweep.md'} and sweep.png")
  if failed:
    sys.exit(f"{len(failed)} of {len(wanted)} runs failed: {'; '.join(failed)}")


if __name__ == "__main__":
  main()
