"""What is finished of a folder: a line for every file, so that a killed run loses nothing but the file it was at."""

import json
import os
import pathlib
from collections.abc import Iterator

from qm_vae.errors import InputError

JOURNAL = ".deidentified.jsonl"
"""The journal's file in OUT."""

_BEGUN = "begun"


def state_of(path: pathlib.Path) -> list[int]:
  """What changes with a file: its bytes' number and the time of its last change, nanoseconds."""
  stat = path.stat()
  return [stat.st_size, stat.st_mtime_ns]


def lying(path):
  """The state of what lies there, None for nothing."""
  try:
    return state_of(path)
  except OSError:
    return None


def rows(path: pathlib.Path) -> Iterator[dict]:
  """The lines of a journal, in their order.

  Each has "file" (its name), "settings" and "source" (of the run), "made" (the state of what then lay in OUT; None:
  nothing; _BEGUN: whatever a killed run may have left), "state" (of the original) and "record" (None: not finished).
  """
  with path.open(encoding="utf-8", errors="replace") as file:
    for line in file:
      try:
        row = json.loads(line)
      except (ValueError, RecursionError):
        continue  # a line cut short by a kill
      if _is_row(row):
        yield row


def _is_row(row):
  """Whether it is a line as `Journal` writes them; what is damaged is not finished, and is made again."""
  if not isinstance(row, dict) or not {"file", "settings", "source", "made", "state", "record"} <= row.keys():
    return False
  texts = all(isinstance(row[key], str) for key in ("file", "settings", "source"))
  records = row["record"] is None or isinstance(row["record"], dict)
  made, state = row["made"], row["state"]
  of_original = state is None or (
    _is_state(state[:2]) if isinstance(state, list) else False
  )  # then a digest may follow
  return texts and records and (made in (None, _BEGUN) or _is_state(made)) and of_original


def _is_state(value):
  return isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value)


def original_sizes(target: pathlib.Path) -> dict[str, int]:
  """Bytes of the originals of which the files of an OUT were made, by name, as its journal has them."""
  path = target / JOURNAL
  return {row["file"]: row["state"][0] for row in rows(path) if row["state"]} if path.is_file() else {}


class Journal:
  """A line for every file begun and finished, so that a killed run loses nothing but the file it was at.

  The last line of a file counts, whatever its settings: it tells what lies in OUT now.
  """

  def __init__(self, path: pathlib.Path, settings: str, source: pathlib.Path):
    """Reads what `path` knows; what was finished with these `settings` (see settings_of) is finished still.

    What was made of another folder than `source` is not this one's to replace.
    """
    self._path, self._settings, self._source = path, settings, str(source.resolve())
    self._rows = {row["file"]: row for row in rows(path)} if path.exists() else {}

  def __enter__(self):
    self._file = self._path.open("a", encoding="utf-8")
    if not _lock(self._file):
      self._file.close()
      raise InputError(f"another run writes to {self._path.parent} now; wait for its end, or choose another OUT")
    if self._file.tell():
      with self._path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        self._file.write("" if file.read() == b"\n" else "\n")  # after a line cut short by a kill
    return self

  def __exit__(self, *_):
    self._file.close()

  def known(self, name: str, state: list[int], there: list[int]) -> dict | None:
    """The record of a file that was finished from the same original and lies `there` as it was made, or None."""
    row = self._rows.get(name)
    same = row and (row["settings"], row["state"], row["made"]) == (self._settings, state, there)
    return row["record"] if same else None

  def owns(self, name: str, there: list[int] | None) -> bool:
    """Whether what lies `there` in OUT, if anything does, was made of the same folder by a run of any settings."""
    row = self._rows.get(name, {})
    return there is None or (row.get("source") == self._source and row["made"] in (_BEGUN, there))

  def begin(self, name: str) -> None:
    """Notes that a file is being written: what a kill leaves under its name is this program's."""
    self._add(name, _BEGUN, None, None)

  def made(self, name: str, target: pathlib.Path, state: list[int] | None = None, record: dict | None = None) -> None:
    """Notes what lies at `target` now; with the original's `state` and a `record` the file is finished."""
    self._add(name, lying(target), state, record)

  def _add(self, name, made, state, record):
    row = {"settings": self._settings, "source": self._source, "file": name}
    row |= {"made": made, "state": state, "record": record}
    self._file.write(json.dumps(row, allow_nan=False) + "\n")
    self._file.flush()


def _lock(file):
  """Claims an open file until it is closed; False where another process has it. True where there are no such locks."""
  try:
    import fcntl  # of POSIX alone
  except ImportError:
    return True
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError:  # a file system without locks
    return True
  return True
