r"""Trains QM-VAE (or a network it needs), judges it and writes the report.

  python -m qm_vae.main --config=configs/alpha04.py
  python -m qm_vae.main --config=configs/alpha04.py:celeba_folder --config.data.root=CELEBA \
      --config.service.checkpoint=NETWORK --config.judges.second.checkpoint=OTHER_NETWORK
  python -m qm_vae.main --config=configs/expression.py:fer2013 --config.data.root=fer2013.csv

The part after the colon chooses the data: synthetic (default), folder, celeb_a, celeba_folder, lfw or fer2013. Single
keys are overridden as --config.KEY=VALUE; configs/default.py lists every key with its unit and what is allowed. The run
lives in --workdir: config.json, metrics.jsonl, checkpoints/, report.json, report.html, figures/. The same command goes
on where a killed run stopped.
"""

import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from qm_vae import build, compilation_cache, evaluate, rules, run

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "File of the experiment, optionally with :DATA.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Folder of the run; runs/EXPERIMENT or runs/EXPERIMENT-DATA when not given."
)

_TAKES = {
  "classifier": "service.checkpoint=FOLDER",
  "attributes": "quality.smile.checkpoint=FOLDER",
  "embedder": "privacy.embedders=\"('FOLDER',)\"",
  "ugatit": "deid.ugatit.checkpoint=FOLDER",
  "amt_gan": "deid.amt_gan.checkpoint=FOLDER",
}
"""Which key takes the network that a task trains."""


def main(arguments: list[str]) -> None:
  """Runs the experiment that the flags name."""
  if not flags.FLAGS["verbosity"].present:
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
  if len(arguments) > 1:
    raise app.UsageError(f"unexpected argument {arguments[1]!r}; options are written --name=value")
  try:
    workdir = pathlib.Path(_WORKDIR.value or _default_workdir())
    config = _CONFIG.value
    rules.check(config)
    compilation_cache.use(build.cache_dir(config) / "xla")
    config = run.resolve(config)
    run.run(config, workdir)
    if config.task in evaluate.EVALUATIONS:
      evaluate.evaluate(workdir, command="python -m qm_vae.main " + " ".join(sys.argv[1:]))
      print(f"Report: {workdir / 'report.html'}")
    else:
      print(f"Network: {workdir / 'network'} (give it as --config.{_TAKES[config.task]})")
  except (ValueError, FloatingPointError, OSError, RuntimeError) as error:
    if flags.FLAGS["verbosity"].present:
      raise
    sys.exit(f"error: {error}\n(--verbosity=0 shows where in the code)")


def _check_config_file(arguments: list[str]) -> None:
  """Names a missing file before the flag library does, whose error does not."""
  for argument in arguments:
    if argument.startswith("--config="):
      path = pathlib.Path(argument.removeprefix("--config=").partition(":")[0])
      if not path.is_file():
        there = sorted(str(p) for p in pathlib.Path("configs").glob("*.py") if not p.stem.startswith("_"))
        hint = f"there are {', '.join(there)}" if there else "start in the folder that holds configs/"
        sys.exit(f"error: the experiment's file {path} does not exist; {hint}")


def _default_workdir() -> str:
  file, _, data = flags.FLAGS["config"].config_filename.partition(":")
  return f"runs/{pathlib.Path(file).stem}" + (f"-{data}" if data else "")


if __name__ == "__main__":
  _check_config_file(sys.argv[1:])
  flags.mark_flag_as_required("config")
  app.run(main)
