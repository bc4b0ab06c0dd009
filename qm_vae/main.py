r"""Trains QM-VAE (or a network it needs), judges it and writes the report.

  python -m qm_vae.main --config=configs/alpha04.py
  python -m qm_vae.main --config=configs/alpha04.py:celeba_folder --config.data.root=CELEBA \
      --config.service.checkpoint=NETWORK --config.judges.second.checkpoint=OTHER_NETWORK
  python -m qm_vae.main --config=configs/expression.py:fer2013 --config.data.root=fer2013.csv

The part after the colon chooses the data: synthetic (default), folder, celeb_a, celeba_folder, lfw or fer2013. Single
keys are overridden as --config.KEY=VALUE; qm_vae/experiments/schema/config.py lists each with unit and rule. The run
lives in --workdir: config.json, metrics.jsonl, checkpoints/, report.json, report.html, figures/. Rerun the command to
resume an interrupted run.
"""

import json
import pathlib
import shlex
import signal
import sys

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from qm_vae.evaluate import EVALUATIONS, evaluate
from qm_vae.experiments import command_line, grid, resolve, run, schema, settings
from qm_vae.experiments.tasks import TASKS
from qm_vae.io import cache
from qm_vae.io.errors import InputError, is_full
from qm_vae.training import distributed, interrupt

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "File of the experiment, optionally with :DATA.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Folder of the run; runs/EXPERIMENT or runs/EXPERIMENT-DATA when not given."
)
_DISTRIBUTED = flags.DEFINE_string(
  "distributed",
  None,
  "auto, or HOST:PORT,COUNT,INDEX: this process is one of several that train together (docs/devices.md).",
)
_MEMBERS = flags.DEFINE_string(
  "members",
  None,
  "Trains several runs as one program, each in a folder below --workdir: JSON, "
  """'{"FOLDER": {"alpha": 0.0, "seed": 0}, ...}'; python -m launch.sweep --runner=grid writes it (docs/sweeps.md).""",
)


def main(arguments: list[str]) -> None:
  """Runs the experiment that the flags name."""
  if not flags.FLAGS["verbosity"].present:
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
  del arguments  # nothing but flags (command_line.py)
  signal.signal(signal.SIGTERM, signal.default_int_handler)  # outside of training, too, it ends with a word
  try:
    workdir = pathlib.Path(_WORKDIR.value or _default_workdir())
    config = _CONFIG.value
    schema.check(config)
    if _DISTRIBUTED.value:
      distributed.join(_DISTRIBUTED.value)
    cache.use(settings.cache_dir(config) / "xla")
    group = distributed.all_processes()
    if _MEMBERS.value:
      if group.size > 1:
        raise ValueError("--members trains within one process, on all its devices; leave out --distributed")
      grid.check_alike(_members(config, workdir))  # before hours of work
      _train_members(_members(resolve.resolve(config), workdir))
      return
    # Services that are missing are trained by the first process alone, and so is the report made.
    config = ml_collections.ConfigDict(group.broadcast(lambda: resolve.resolve(config).to_dict()))
    run.run(config, workdir, group)
    group.broadcast(lambda: _finish(config, workdir))
  except interrupt.Interrupted as stopped:
    print(f"\n{stopped}", file=sys.stderr)
    sys.exit(128 + stopped.number)
  except KeyboardInterrupt:
    print("\ninterrupted; rerun the command to resume", file=sys.stderr)
    sys.exit(128 + signal.SIGINT)
  except (ValueError, FloatingPointError, OSError, RuntimeError) as error:
    if flags.FLAGS["verbosity"].present:
      raise
    if is_full(error):
      sys.exit(f"error: the disk is full ({error}); make room and rerun the command: nothing that was kept is lost")
    if isinstance(error, InputError):
      sys.exit(f"error: {error}")
    sys.exit(f"error: {error}\n(--verbosity=0 shows where in the code)")


def _finish(config, workdir):
  if config.task in EVALUATIONS:
    evaluate(workdir, command=_command())
    print(f"Report: {workdir / 'report.html'}")
  else:
    print(f"Network: {workdir / 'network'} (give it as --config.{TASKS[config.task].exported_as})")


def _members(config, workdir):
  """{folder: config} of the runs that --members names."""
  try:
    points = {workdir / name: dict(point) for name, point in json.loads(_MEMBERS.value).items()}
  except (ValueError, AttributeError, TypeError) as error:
    raise ValueError(
      f"--members={_MEMBERS.value!r} is no JSON of the form {{FOLDER: {{KEY: VALUE}}}} ({error})"
    ) from None
  if not points:
    raise ValueError("--members names no run; give at least one as {FOLDER: {KEY: VALUE}}")
  configs, known = {}, schema.flatten(config)
  for folder, point in points.items():
    if folder.resolve().parent != workdir.resolve():
      raise ValueError(f"--members: {folder.name!r} is no plain name of a folder in --workdir, {workdir}")
    unknown = [key for key in point if key not in known]
    if unknown:
      raise ValueError(
        f"--members: {folder.name}: {unknown[0]!r} is no key; qm_vae/experiments/schema/config.py lists them all"
      )
    configs[folder] = config.copy_and_resolve_references()
    try:
      configs[folder].update_from_flattened_dict(point)
    except TypeError as error:
      raise ValueError(f"--members: {folder.name}: {point} does not fit ({error})") from None
  return configs


def _train_members(configs):
  """Trains the runs of a grid and judges each; those that failed are listed at the end."""
  failed = grid.fit(configs)
  for folder in configs:
    if folder in failed:
      continue
    try:
      evaluate(folder, command=_command())
      print(f"Report: {folder / 'report.html'}", flush=True)
    except (ValueError, FloatingPointError, OSError, RuntimeError) as error:
      failed[folder] = str(error)
  if failed:
    reasons = "\n".join(f"  {folder}: {why}" for folder, why in failed.items())
    raise RuntimeError(f"{len(failed)} of {len(configs)} runs failed:\n{reasons}")


def _command():
  return "python -m qm_vae.main " + shlex.join(sys.argv[1:])


def _default_workdir() -> str:
  file, _, data = flags.FLAGS["config"].config_filename.partition(":")
  return f"runs/{pathlib.Path(file).stem}" + (f"-{data}" if data else "")


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse)
