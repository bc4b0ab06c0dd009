"""Reading the two result files of a run or audit, and writing beside them without leaving a half-written file."""

import json
import os
import pathlib
from typing import NamedTuple

from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import reading

VERSION = 1
"""The version of `report.json` and of `audit.json` that this code reads."""


class Kind(NamedTuple):
  """What the two files are called, and what to do when they are not there."""

  numbers: str
  arrays: str
  written: str  # when
  again: str  # how


RUN = Kind("report.json", "evaluation.npz", "a run writes it when its evaluation ends", "evaluate the run again")
AUDIT = Kind("audit.json", "audit.npz", "qm_vae.audit writes it when it ends", "run the audit again")


class UnreadableReport(InputError):
  """The result files are missing, damaged, or of another version; the message says which and what to do."""


def read(folder, kind=RUN):
  """The numbers and arrays of a run or of an audit.

  Args:
    folder: holds the numbers and, for pictures and probabilities, the arrays.
    kind: RUN or AUDIT.

  Returns:
    (report, arrays): the decoded JSON as dict, and a dict of NumPy arrays that is empty where there is no file of
    arrays.

  Raises:
    UnreadableReport: a missing or damaged file, or another schema version.
  """
  path = pathlib.Path(folder) / kind.numbers
  try:
    # Python writes nan as NaN, which JSON does not know; here as there it means: not measured.
    report = json.loads(reading.read_text(path), parse_constant=lambda _: None)
  except (ValueError, RecursionError) as error:
    if not path.exists():
      raise UnreadableReport(f"{path} does not exist; {kind.written}") from None
    raise UnreadableReport(f"{path} is no JSON ({error}); {kind.again}") from error
  version = report.get("version") if isinstance(report, dict) else None
  if version != VERSION:
    raise UnreadableReport(f"{path} has version {version!r}, this code reads {VERSION}; {kind.again}")
  path = pathlib.Path(folder) / kind.arrays
  if not path.exists():
    return report, {}
  try:
    return report, reading.read_arrays(path)
  except InvalidFile as error:
    raise UnreadableReport(f"{path} cannot be read ({error}); {kind.again}") from error


def write_aside(path, content):
  """Writes bytes to `path` by way of a temporary file and a rename, so that a reader sees all of it or none."""
  path = pathlib.Path(path)
  aside = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    aside.write_bytes(content)
    os.replace(aside, path)
  finally:
    aside.unlink(missing_ok=True)
