r"""Runs an experiment once for every point of its `sweep()`, and merges the reports into one table and figure.

  python -m launch.sweep --config=configs/table1.py                            # prints the commands
  python -m launch.sweep --config=configs/table1.py --runner=grid              # trains all points as one program
  python -m launch.sweep --config=configs/table1.py --runner=local --jobs=2    # two runs at a time on this machine
  python -m launch.sweep --config=configs/table1.py --runner=slurm --gpus=1    # an array job; waits for it
  python -m launch.sweep --config=configs/table1.py --runner=merge             # the table of the finished runs
  python -m launch.sweep --config=configs/alpha04.py --seeds=0,1,2 --runner=local -- --config.data.limit=200

Arguments after `--` go to every run. With --runner=grid, points that differ in the seed, alpha, beta, service_weight
or weights of terms train as one program; points that differ in other keys need one program each (docs/sweeps.md). Rerun
the command to resume an interrupted sweep: finished runs are only evaluated again. Runs are in OUT/POINT. Successful
points are merged into OUT/sweep.md and sweep.png, runs whose controls failed as VOID; failures are listed at the end.
"""

import argparse
import concurrent.futures
import importlib.util
import itertools
import json
import pathlib
import shlex
import subprocess
import sys

from launch import cluster
from qm_vae.arguments import Parser
from qm_vae.errors import InputError
from qm_vae.experiments import shelf


def points(config: str, seeds: list[int]) -> list[dict]:
  """Overrides of every run: the file's `sweep()` (one empty point without it) times the seeds.

  Raises:
    ValueError: when the file cannot be read.
  """
  module = _module(config)
  own = list(module.sweep()) if hasattr(module, "sweep") else [{}]
  return [point | {"seed": seed} for point, seed in itertools.product(own, seeds)]


def _module(config):
  path = shelf.experiment(config.partition(":")[0])
  if not path.is_file():
    raise InputError(f"{path} does not exist; give the file of an experiment, for instance configs/table1.py")
  shelf.make_importable("configs")
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def programs(wanted: list[dict]) -> tuple[list[list[dict]], list[str]]:
  """The points in groups that train as one program each, and the keys that keep the groups apart."""
  from qm_vae.experiments import qm_vae

  groups, shapes = {}, []
  for point in wanted:
    shapes.append(qm_vae.shaping(point))
    groups.setdefault(json.dumps(shapes[-1], sort_keys=True), []).append(point)
  keys = sorted({key for shape in shapes for key in shape})
  return list(groups.values()), [key for key in keys if any(one.get(key) != shapes[0].get(key) for one in shapes)]


def command(config: str, point: dict, workdir: pathlib.Path, extra: list[str]) -> list[str]:
  """The arguments that run one point in `workdir`."""
  overrides = [f"--config.{key}={value}" for key, value in point.items()]
  return [sys.executable, "-m", "qm_vae.main", f"--config={config}", f"--workdir={workdir}", *overrides, *extra]


def grid_command(config: str, group: list[dict], out: pathlib.Path, extra: list[str]) -> list[str]:
  """The arguments that train a group as one program, each point in its own folder of `out`."""
  if len(group) == 1:
    return command(config, group[0], out / name_of(group[0]), extra)
  shared = {key: value for key, value in group[0].items() if all(point[key] == value for point in group)}
  own = {name_of(point): {key: value for key, value in point.items() if key not in shared} for point in group}
  return [*command(config, shared, out, extra), f"--members={json.dumps(own)}"]


def name_of(point: dict) -> str:
  """A folder name for a point: {'alpha': 0.4, 'seed': 0} -> 'alpha=0.4,seed=0'; a tuple is named by its members."""
  values = {key: "+".join(map(str, value)) if isinstance(value, tuple) else value for key, value in point.items()}
  return ",".join(f"{key}={value}" for key, value in values.items())


def default_out(config: str) -> pathlib.Path:
  """Where the runs of a file on its data lie: 'configs/table1.py:lfw' -> runs/table1-lfw-sweep."""
  file, _, data = config.partition(":")
  return pathlib.Path("runs") / "-".join(filter(None, (pathlib.Path(file).stem, data, "sweep")))


def run_locally(lines: dict[pathlib.Path, list[str]], jobs: int) -> list[bool]:
  """Runs {folder: command}, `jobs` at a time; whether each ended with 0.

  With more than one at a time, what a run prints goes to FOLDER/log.txt.
  """

  def one(number, workdir):
    print(f"[{number}/{len(lines)}] {workdir.name}", flush=True)
    if jobs == 1:
      return subprocess.run(lines[workdir], check=False).returncode == 0
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / "log.txt").open("w", encoding="utf-8") as log:
      ended = subprocess.run(lines[workdir], check=False, stdout=log, stderr=subprocess.STDOUT).returncode
    print(f"[{number}/{len(lines)}] {workdir.name} {'failed, see log.txt there' if ended else 'is done'}", flush=True)
    return ended == 0

  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    waiting = [pool.submit(one, number, workdir) for number, workdir in enumerate(lines, 1)]
    try:
      return [future.result() for future in waiting]
    finally:
      pool.shutdown(cancel_futures=True)  # who interrupts wants no further run to begin


def run_as_grid(options, wanted: list[dict], out: pathlib.Path) -> list[bool]:
  """Trains the points group by group and judges each; whether each got a new report."""
  groups, apart = programs(wanted)
  if apart:
    print(f"{', '.join(apart)} shape the program: {len(groups)} programs for {len(wanted)} points.")
  before = [_written(out, point) for point in wanted]
  for number, group in enumerate(groups, 1):
    line = grid_command(options.config, group, out, options.extra)
    print(f"[{number}/{len(groups)}] {len(group)} points\n{shlex.join(line)}", flush=True)
    subprocess.run(line, check=False)
  return [_written(out, point) not in (None, old) for point, old in zip(wanted, before, strict=True)]


def _written(out, point):
  path = out / name_of(point) / "report.json"
  return path.stat().st_mtime_ns if path.exists() else None


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  options = _options(arguments)
  out = pathlib.Path(options.out or default_out(options.config))
  try:
    wanted = points(options.config, [int(seed) for seed in options.seeds.split(",")])
    lines = {out / name_of(p): command(options.config, p, out / name_of(p), options.extra) for p in wanted}
    if options.runner == "print":
      print("\n".join(map(shlex.join, lines.values())))
      return
    task = _module(options.config).get_config(options.config.partition(":")[2] or None).task
    if options.runner == "grid" and task != "qm_vae":
      print(f"Runs of task {task!r} train one by one, as with --runner=local.")
      options.runner = "local"
    went_well = {
      "local": lambda: run_locally(lines, options.jobs),
      "grid": lambda: run_as_grid(options, wanted, out),
      "slurm": lambda: _on_slurm(options, lines, out),
      "merge": lambda: [(workdir / "report.json").exists() for workdir in lines],
    }[options.runner]()
  except InputError as error:
    sys.exit(f"error: {error}")
  from qm_vae.report import sweep  # Matplotlib, which --help and printed commands do not need

  merged = sweep.write(out, list(itertools.compress(lines, went_well)))
  place = f"merged in {out / 'sweep.md'}" if merged else "finished with a report, so nothing is merged"
  print(f"{merged} of {len(wanted)} runs {place}")
  failed = [workdir.name for workdir, well in zip(lines, went_well, strict=True) if not well]
  if failed:
    what = "have no report" if options.runner == "merge" else "failed"
    sys.exit(f"{len(failed)} of {len(wanted)} runs {what}: {'; '.join(failed)}")


def _on_slurm(options, lines, out):
  return cluster.run(
    list(lines.values()),
    out / "slurm",
    partition=options.partition,
    minutes=options.minutes,
    gpus=options.gpus,
    cpus=options.cpus,
    at_once=options.jobs,
  )


def _options(arguments):
  parser = Parser(
    prog="python -m launch.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--config", required=True, help="FILE or FILE:DATA, as for qm_vae.main")
  parser.add_argument("--runner", choices=("print", "grid", "local", "slurm", "merge"), default="print")
  parser.add_argument("--seeds", default="0", help="comma-separated (default %(default)s)")
  parser.add_argument("--out", help="folder of the runs (default runs/FILE-sweep or runs/FILE-DATA-sweep)")
  parser.add_argument("--jobs", type=_at_least_one, default=1, help="runs at a time, of local and slurm (default 1)")
  parser.add_argument("--partition", help="of the SLURM cluster; its default when not given")
  parser.add_argument("--minutes", type=_at_least_one, default=240, help="of a SLURM job, at most (default 240)")
  parser.add_argument("--gpus", type=int, default=0, help="of a SLURM job (default 0)")
  parser.add_argument("--cpus", type=_at_least_one, default=4, help="of a SLURM job (default 4)")
  parser.add_argument("extra", nargs="*", help="further flags of qm_vae.main, after --")
  return parser.parse_args(arguments)


def _at_least_one(text):
  if not text.isdigit() or int(text) < 1:
    raise argparse.ArgumentTypeError(f"{text!r}, but it must be an integer, at least 1")
  return int(text)


if __name__ == "__main__":
  main()
