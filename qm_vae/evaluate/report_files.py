"""What every evaluation of a run shares: its controls, its schema and the files it writes."""

import datetime
import json
import pathlib

import numpy as np

from qm_vae.evaluate import run_info
from qm_vae.experiments.schema import Config, plain
from qm_vae.io import records
from qm_vae.io.environment import environment
from qm_vae.training.state import Split

SCHEMA = 1

CONTROLS = ("identity", "blank")

YARDSTICK = "aligned_mean"
"""The method that a generator has to beat: the mean of a few aligned faces with the same answer."""


def kind_of(name: str, parts) -> str:
  """What a method is: model, view or control."""
  if name in CONTROLS:
    return "control"
  return "model" if name == "qm_vae" else "view" if name in parts.views else "baseline"


def header(config: Config, data: Split, command: str) -> dict:
  """What every report begins with: when, how and on what it was made, and of which faces."""
  return {
    "version": SCHEMA,
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": command,
    "config": plain(config),
    "environment": environment(),
    "data": run_info.faces(config, data),
  }


def write(workdir: pathlib.Path, report: dict, arrays: dict[str, np.ndarray]) -> None:
  """Writes report.json and evaluation.npz into the folder of the run."""
  records.write_arrays(workdir / "evaluation.npz", arrays)
  records.write_text(workdir / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
