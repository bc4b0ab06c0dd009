"""Everything below a folder, going on where an interrupted run stopped."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from qm_vae import progress, writer
from qm_vae.deidentify import job, one

_JOURNAL = ".deidentified.jsonl"


class Found(NamedTuple):
  """The files below a folder, as relative paths."""

  wanted: list[pathlib.Path]
  others: list[str]  # neither picture nor video: never copied


def walk(root: pathlib.Path) -> Found:
  """What is below `root`, in sorted order; links to folders are not followed."""
  wanted, others = [], []
  for directory, folders, files in os.walk(root):
    folders.sort()
    for file in sorted(files):
      path = (pathlib.Path(directory) / file).relative_to(root)
      (wanted.append(path) if one.kind(path) else others.append(str(path)))
  return Found(wanted, others)


def protect(work: job.Job, source: pathlib.Path, target: pathlib.Path) -> Iterator[job.Outcome]:
  """Protects every picture and video below `source`, each under its own relative name below `target`.

  A file that an earlier run of the same settings finished, and whose original has not changed since, is skipped. A
  failure does not stop the others.

  Yields:
    What became of each file.

  Raises:
    ValueError: where one folder lies inside the other.
    KeyboardInterrupt: what is finished stays, and is skipped the next time.
  """
  check_apart(source, target)
  found = walk(source)
  target.mkdir(parents=True, exist_ok=True)
  journal = Journal(target / _JOURNAL, settings_of(work))
  outcomes = []
  with journal, progress.bar(len(found.wanted), "files", "file", shown=len(found.wanted) > 1) as bar:
    for path in found.wanted:
      outcome = protect_one(work, source / path, target / path, str(path), journal)
      outcomes.append(outcome)
      yield outcome
      bar.update()
  if found.others:
    told = (
      f"{len(found.others)} files are neither picture nor video and were not copied: {', '.join(found.others[:10])}"
    )
    yield job.Outcome(str(source), 0, (told + (", ..." if len(found.others) > 10 else ""),), (), {})
  sidecar = job.sidecar_path(work.options, target)
  if sidecar is not None:
    _write(sidecar, work, source, outcomes, found)


def check_apart(source: pathlib.Path, target: pathlib.Path) -> None:
  """Returns where neither folder lies in the other.

  Raises:
    ValueError: else.
  """
  here, there = source.resolve(), target.resolve()
  if here == there or here in there.parents or there in here.parents:
    raise ValueError(f"{target} and {source} lie in each other; write to a folder of its own")


def protect_one(
  work: job.Job, source: pathlib.Path, target: pathlib.Path, name: str, journal: "Journal", *, sidecars: bool = False
) -> job.Outcome:
  """Protects one of many files, unless the journal knows it as finished; what fails is told by the outcome.

  Args:
    work: the tools.
    source: the original.
    target: what is written; of a file that fails nothing is left under this name.
    name: what the journal and the outcome call it.
    journal: of what is finished.
    sidecars: whether pictures, too, get a record of their own beside them, as videos do.
  """
  try:
    state = state_of(source)
  except OSError as error:
    return job.Outcome(name, 0, (), (one.told(error),), {"failures": [one.told(error)]})
  if not work.options.overwrite and target.exists() and (known := journal.known(name, state)) is not None:
    return job.Outcome(name, known.get("hidden", 0), ("done before",), (), known)
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not one.kind(source):
      raise ValueError("neither picture nor video")
    sidecar = target.with_name(target.name + ".json")
    outcome = one.protect(work, source, target, sidecar)
    if sidecars:
      one.write_sidecar(work, source, sidecar, outcome)
  except (ValueError, OSError, RuntimeError) as error:
    target.unlink(missing_ok=True)  # of an earlier run: it is no longer what this one would make
    return job.Outcome(name, 0, (), (one.told(error),), {"failures": [one.told(error)]})
  record = {"hidden": outcome.hidden} | outcome.record
  if not outcome.failures:
    journal.add(name, state, record)
  return job.Outcome(name, outcome.hidden, outcome.notes, outcome.failures, record)


def state_of(path: pathlib.Path) -> list[int]:
  """What changes with a file: its bytes' number and the time of its last change, nanoseconds."""
  stat = path.stat()
  return [stat.st_size, stat.st_mtime_ns]


def settings_of(work: job.Job) -> str:
  """A digest of all that shapes the pictures."""
  shaping = {"method": work.method, "hiding": work.hider.told, "detector": work.detector.told}
  ignored = ("source", "target", "output", "overwrite", "preview", "sidecar")
  shaping["options"] = {key: str(value) for key, value in vars(work.options).items() if key not in ignored}
  return hashlib.sha256(json.dumps(shaping, sort_keys=True, default=str).encode()).hexdigest()


def _write(sidecar, work, source, outcomes, found):
  head = job.head(work, {"name": str(source)}, None) | {"version": 1, "left_out": found.others}
  rows = [{"file": outcome.name} | outcome.record for outcome in outcomes]
  writer.write_text(sidecar, json.dumps(head | {"files": rows}, indent=1, allow_nan=False) + "\n")


def finished(path: pathlib.Path, settings: str) -> Iterator[dict]:
  """What a journal notes of each file that was finished with these settings: file, state of the original, record."""
  with path.open(encoding="utf-8") as file:
    for line in file:
      try:
        row = json.loads(line)
        if row["settings"] == settings and {"file", "state", "record"} <= row.keys():
          yield row
      except (json.JSONDecodeError, KeyError, TypeError):
        continue  # a last line cut short by a kill


class Journal:
  """A line for every finished file, so that a killed run loses nothing but the file it was at."""

  def __init__(self, path: pathlib.Path, settings: str):
    """Reads what `path` knows of files that were finished with these `settings` (see settings_of)."""
    self._path, self._settings = path, settings
    self._known = {row["file"]: row for row in finished(path, settings)} if path.exists() else {}

  def __enter__(self):
    self._file = self._path.open("a", encoding="utf-8")
    return self

  def __exit__(self, *_):
    self._file.close()

  def known(self, name: str, state: list[int]) -> dict | None:
    """The record of a file that was finished from the same original, or None."""
    row = self._known.get(name)
    return row["record"] if row and row["state"] == state else None

  def add(self, name: str, state: list[int], record: dict) -> None:
    """Notes that a file is finished."""
    row = {"settings": self._settings, "file": name, "state": state, "record": record}
    self._file.write(json.dumps(row, allow_nan=False) + "\n")
    self._file.flush()
