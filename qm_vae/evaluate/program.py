"""What python -m qm_vae.main does once its command line is read: a run, or those of a grid, up to the reports."""

import json
import pathlib
import sys

import ml_collections
import tqdm

from qm_vae.errors import InputError
from qm_vae.evaluate import EVALUATIONS, evaluate, qm_vae
from qm_vae.experiments import grid, resolve, schema, settings
from qm_vae.experiments import run as runs
from qm_vae.experiments.tasks import TASKS
from qm_vae.io import cache
from qm_vae.metrics import intervals
from qm_vae.report import terminal
from qm_vae.training import distributed as devices

_EARLY = 1 / 4  # of the epochs, after which the first report is made: before, nothing of a face is there yet


def run(
  config: ml_collections.ConfigDict,
  workdir: pathlib.Path,
  command: str,
  *,
  distributed: str | None = None,
  members: str | None = None,
) -> None:
  """Trains what `config` describes in `workdir`, judges it, and prints where the result is.

  Args:
    config: as the command line gives it; it is checked here.
    workdir: folder of the run, or of the runs of a grid.
    command: the command line, for the reports.
    distributed: of --distributed.
    members: of --members.

  Raises:
    ValueError: for a config that `schema.check` refuses, or what does not fit it.
    InputError: where members of a grid failed.
  """
  schema.check(config)
  if distributed:
    devices.join(distributed)
  cache.use(settings.cache_dir(config) / "xla")
  group = devices.all_processes()
  if members:
    if group.size > 1:
      raise InputError("--members trains within one process, on all its devices; leave out --distributed")
    grid.check_alike(_members(members, config, workdir))  # before hours of work
    _train_members(_members(members, resolve.resolve(config), workdir), command)
    return
  # Services that are missing are trained by the first process alone, and so is the report made.
  config = ml_collections.ConfigDict(group.broadcast(lambda: resolve.resolve(config).to_dict()))
  runs.run(config, workdir, group, _Watcher(config, workdir, command) if group.size == 1 else None)
  group.broadcast(lambda: _finish(config, workdir, command))


class _Watcher:
  """Tells the rates of every evaluation while a run trains, and writes a first report after a quarter of it."""

  def __init__(self, config, workdir, command):
    self._config, self._workdir, self._command = config, workdir, command

  def __call__(self, experiment, epoch, state, result):
    if words := _rates(result):
      tqdm.tqdm.write(f"epoch {epoch} of {experiment.epochs}: {words}", file=sys.stderr)
    early = self._workdir / qm_vae.EARLY / "report.html"
    if self._config.task != "qm_vae" or not experiment.epochs > epoch >= _EARLY * experiment.epochs or early.exists():
      return
    report = qm_vae.early(schema.view(self._config), self._workdir, experiment, state, self._command, epoch)
    for line in (*terminal.lines(report), f"First report, after epoch {epoch} of {experiment.epochs}: {early}"):
      tqdm.tqdm.write(line, file=sys.stderr)


def _rates(result):
  """The loss rates of an evaluation in the loop, in words."""
  named = {"loss rate": result.get("loss_rate")}
  named |= {f"judge {key.removeprefix('judges/')}": value for key, value in result.items() if key.startswith("judges/")}
  measured = {name: value for name, value in named.items() if value is not None}
  rates = [
    f"{name} {terminal.interval(intervals.wilson(value * result['n'], result['n']).as_dict())}"
    for name, value in measured.items()
  ]
  return ", ".join(rates)


def _finish(config, workdir, command):
  if config.task in EVALUATIONS:
    report = evaluate(workdir, command=command)
    print(*terminal.lines(report), f"Report: {workdir / 'report.html'}", sep="\n")
  else:
    print(f"Network: {workdir / 'network'} (give it as --config.{TASKS[config.task].exported_as})")


def _members(given, config, workdir):
  """{folder: config} of the runs that --members names."""
  try:
    points = {workdir / name: dict(point) for name, point in json.loads(given).items()}
  except (ValueError, AttributeError, TypeError) as error:
    raise InputError(f"--members={given!r} is no JSON of the form {{FOLDER: {{KEY: VALUE}}}} ({error})") from None
  if not points:
    raise InputError("--members names no run; give at least one as {FOLDER: {KEY: VALUE}}")
  configs, known = {}, schema.flatten(config)
  for folder, point in points.items():
    if folder.resolve().parent != workdir.resolve():
      raise InputError(f"--members: {folder.name!r} is no plain name of a folder in --workdir, {workdir}")
    unknown = [key for key in point if key not in known]
    if unknown:
      raise InputError(
        f"--members: {folder.name}: {unknown[0]!r} is no key; qm_vae/experiments/schema/config.py lists them all"
      )
    configs[folder] = config.copy_and_resolve_references()
    try:
      configs[folder].update_from_flattened_dict(point)
    except TypeError as error:
      raise InputError(f"--members: {folder.name}: {point} does not fit ({error})") from None
  return configs


def _train_members(configs, command):
  """Trains the runs of a grid and judges each; those that failed are listed at the end."""
  failed = grid.fit(configs)
  for folder in configs:
    if folder in failed:
      continue
    try:
      evaluate(folder, command=command)
      print(f"Report: {folder / 'report.html'}", flush=True)
    except (InputError, OSError) as error:
      failed[folder] = str(error)
  if failed:
    reasons = "\n".join(f"  {folder}: {why}" for folder, why in failed.items())
    raise InputError(f"{len(failed)} of {len(configs)} runs failed:\n{reasons}")
