"""Judges finished runs: one file for each task whose runs have a report."""

import pathlib

from qm_vae.errors import InputError
from qm_vae.io import run_folder
from qm_vae.registry import Registry

EVALUATIONS = Registry(
  "evaluated task",
  {"qm_vae": "qm_vae.evaluate.qm_vae:of_qm_vae", "black_box": "qm_vae.evaluate.black_box:of_run"},
  group="qm_vae.evaluations",
)
"""Each is (config, workdir, command) -> report."""


def evaluate(workdir: str | pathlib.Path, command: str) -> dict:
  """Evaluates the run in `workdir` and writes its report.

  Args:
    workdir: folder of a finished run of a task in EVALUATIONS.
    command: what the report names as its origin.

  Returns:
    The report, as written to report.json (its form is in docs/report.md).

  Raises:
    ValueError: when the folder holds no such run, or one that is not finished.
  """
  with run_folder.locked(pathlib.Path(workdir)):
    return _evaluate(pathlib.Path(workdir), command)


def _evaluate(workdir, command):
  from qm_vae.experiments import config_file, schema  # a command line's --help does not wait for them

  config = config_file.load(workdir)
  if config.task not in EVALUATIONS:
    raise InputError(
      f"{workdir} holds a run of task {config.task!r}; a report is made for {', '.join(EVALUATIONS)} alone"
    )
  return EVALUATIONS[config.task](schema.view(config), workdir, command)
