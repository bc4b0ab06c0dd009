"""What every evaluation of a run shares: its controls, its schema and the files it writes."""

import json
import pathlib

import numpy as np

from qm_vae.io import records

SCHEMA = 1

CONTROLS = ("identity", "blank")


def kind_of(name: str, parts) -> str:
  """What a method is: model, view or control."""
  if name in CONTROLS:
    return "control"
  return "model" if name == "qm_vae" else "view" if name in parts.views else "baseline"


def write(workdir: pathlib.Path, report: dict, arrays: dict[str, np.ndarray]) -> None:
  """Writes report.json and evaluation.npz into the folder of the run."""
  records.write_arrays(workdir / "evaluation.npz", arrays)
  records.write_text(workdir / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
