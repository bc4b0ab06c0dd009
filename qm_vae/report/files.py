"""Reading a run's two result files and writing beside them without ever leaving a half-written file."""

import json
import os
import pathlib
import zipfile

import numpy as np

VERSION = 1
"""The version of `report.json` that this code reads."""


class UnreadableReport(ValueError):
  """The result files of a run are missing, damaged, or of another version; the message says which and what to do."""


def read(workdir):
  """The run's numbers and arrays.

  Args:
    workdir: folder that holds `report.json` and, for pictures and probabilities, `evaluation.npz`.

  Returns:
    (report, arrays): the decoded JSON as dict, and a dict of NumPy arrays that is empty where there is no
    `evaluation.npz`.

  Raises:
    UnreadableReport: a missing or damaged file, or another schema version.
  """
  workdir = pathlib.Path(workdir)
  path = workdir / "report.json"
  try:
    # Python writes nan as NaN, which JSON does not know; here as there it means: not measured.
    report = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
  except FileNotFoundError:
    raise UnreadableReport(f"{path} does not exist; a run writes it when its evaluation ends") from None
  except ValueError as error:
    raise UnreadableReport(f"{path} is no JSON ({error}); evaluate the run again") from error
  version = report.get("version") if isinstance(report, dict) else None
  if version != VERSION:
    raise UnreadableReport(f"{path} has version {version!r}, this code reads {VERSION}; evaluate the run again")
  path = workdir / "evaluation.npz"
  if not path.exists():
    return report, {}
  try:
    with np.load(path, allow_pickle=False) as stored:
      return report, {name: stored[name] for name in stored.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise UnreadableReport(f"{path} cannot be read ({error}); evaluate the run again") from error


def write_aside(path, content):
  """Writes bytes to `path` by way of a temporary file and a rename, so that a reader sees all of it or none."""
  path = pathlib.Path(path)
  aside = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    aside.write_bytes(content)
    os.replace(aside, path)
  finally:
    aside.unlink(missing_ok=True)
