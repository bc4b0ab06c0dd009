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

import pathlib
import shlex
import signal
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from qm_vae.errors import InputError, is_full
from qm_vae.experiments import command_line
from qm_vae.training import interrupt

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
    from qm_vae.evaluate import program  # JAX and more, which --help does not wait for

    program.run(_CONFIG.value, workdir, _command(), distributed=_DISTRIBUTED.value, members=_MEMBERS.value)
  except interrupt.Interrupted as stopped:
    print(f"\n{stopped}", file=sys.stderr)
    sys.exit(128 + stopped.number)
  except KeyboardInterrupt:
    print("\ninterrupted; rerun the command to resume", file=sys.stderr)
    sys.exit(128 + signal.SIGINT)
  except Exception as error:
    if flags.FLAGS["verbosity"].present:
      raise
    if is_full(error):  # which every library words, and raises, in its own way
      sys.exit(f"error: the disk is full ({error}); make room and rerun the command: nothing that was kept is lost")
    if not isinstance(error, (InputError, OSError)):
      raise  # a fault of this code, which its traceback tells
    sys.exit(f"error: {error}")


def _command():
  return "python -m qm_vae.main " + shlex.join(sys.argv[1:])


def _default_workdir() -> str:
  file, _, data = flags.FLAGS["config"].config_filename.partition(":")
  return f"runs/{pathlib.Path(file).stem}" + (f"-{data}" if data else "")


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse)
