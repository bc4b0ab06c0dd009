r"""Runs an experiment once for every point of its `sweep()`.

  python -m launch.sweep --config=configs/table1.py                            # prints the commands
  python -m launch.sweep --config=configs/table1.py --runner=local             # runs them one after the other
  python -m launch.sweep --config=configs/alpha04.py --seeds=0,1,2 --runner=local -- --config.data.limit=200

What follows `--` goes to every run. A run that is done already is only evaluated again, so a sweep that was killed
goes on with the same command. Runs lie in OUT/POINT. The points of this command that ran without failure are merged
into OUT/sweep.md and sweep.png, a run whose controls failed as VOID; failures are listed at the end.
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


def default_out(config: str) -> pathlib.Path:
  """Where the runs of a file on its data lie: 'configs/table1.py:lfw' -> runs/table1-lfw-sweep."""
  file, _, data = config.partition(":")
  return pathlib.Path("runs") / "-".join(filter(None, (pathlib.Path(file).stem, data, "sweep")))


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog="python -m launch.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--config", required=True, help="FILE or FILE:DATA, as for qm_vae.main")
  parser.add_argument("--runner", choices=("print", "local"), default="print")
  parser.add_argument("--seeds", default="0", help="comma-separated (default %(default)s)")
  parser.add_argument("--out", help="folder of the runs (default runs/FILE-sweep or runs/FILE-DATA-sweep)")
  parser.add_argument("extra", nargs="*", help="further flags of qm_vae.main, after --")
  options = parser.parse_args(arguments)
  out = pathlib.Path(options.out or default_out(options.config))
  try:
    wanted = points(options.config, [int(seed) for seed in options.seeds.split(",")])
  except ValueError as error:
    parser.error(str(error))
  done, failed = [], []
  for number, point in enumerate(wanted, 1):
    line = command(options.config, point, out / name_of(point), options.extra)
    print(shlex.join(line), flush=True)
    if options.runner == "local":
      print(f"[{number}/{len(wanted)}] {name_of(point)}", flush=True)
      if subprocess.run(line, check=False).returncode:
        failed.append(name_of(point))
      else:
        done.append(out / name_of(point))
  if options.runner == "local":
    merged = sweep.write(out, done)
    place = f"merged in {out / 'sweep.md'}" if merged else "finished with a report, so nothing is merged"
    print(f"{merged} of {len(wanted)} runs {place}")
  if failed:
    sys.exit(f"{len(failed)} of {len(wanted)} runs failed: {'; '.join(failed)}")


if __name__ == "__main__":
  main()
