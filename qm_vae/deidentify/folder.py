"""Everything below a folder, going on where an interrupted run stopped."""

import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import NamedTuple

from qm_vae.deidentify import job, one, reviewed
from qm_vae.deidentify.journal import JOURNAL, Journal, lying, state_of
from qm_vae.errors import InputError
from qm_vae.io import progress, records

_APPLE_DOUBLE = bytes.fromhex("00051607")  # how the `._` files begin that macOS puts beside others


class Found(NamedTuple):
  """The files below a folder, as relative paths."""

  wanted: list[pathlib.Path]
  others: list[str]  # neither picture nor video: never copied
  links: list[str]  # to folders, which are not followed


def walk(root: pathlib.Path) -> Found:
  """What is below `root`, in sorted order; links to folders are not followed, and pipes and devices not opened."""
  wanted, others, links = [], [], []
  for directory, folders, files in os.walk(root):
    folders.sort()
    here = pathlib.Path(directory)
    links += [str((here / name).relative_to(root)) for name in folders if (here / name).is_symlink()]
    for file in sorted(files):
      path = (here / file).relative_to(root)
      (wanted.append(path) if one.kind(path) and _is_file(here / file) else others.append(str(path)))
  return Found(wanted, others, links)


def _is_file(path):
  """Whether the path may be a picture or a video; one that cannot be looked at may, and is a failure later."""
  try:
    mode = path.stat().st_mode
    if path.name.startswith("._") and stat.S_ISREG(mode):
      with path.open("rb") as file:
        return file.read(4) != _APPLE_DOUBLE
  except OSError:
    return True
  return stat.S_ISREG(mode)


def protect(work: job.Job, source: pathlib.Path, target: pathlib.Path) -> Iterator[job.Outcome]:
  """Protects every picture and video below `source`, each under its own relative name below `target`.

  A file that an earlier run of the same settings finished is skipped while neither its original nor what was made of it
  has changed since. A failure does not stop the others.

  Yields:
    What became of each file.

  Raises:
    ValueError: where one folder lies inside the other, or where the record or the contact sheet would replace what no
      earlier run made.
    KeyboardInterrupt: what is finished stays, and is skipped the next time.
  """
  check_apart(source, target)
  found = walk(source)
  journal = Journal(target / JOURNAL, settings_of(work, source), source)
  sidecar, preview = job.sidecar_path(work.options, target), job.preview_path(work.options, target)
  for path in filter(None, (sidecar, preview)):
    _check_free(work, journal, source, target, path)
  target.mkdir(parents=True, exist_ok=True)
  outcomes = []
  with journal:
    with progress.bar(len(found.wanted), "files", "file", shown=len(found.wanted) > 1) as bar:
      for path in found.wanted:
        outcome = protect_one(work, source / path, target / path, str(path), journal)
        outcomes.append(outcome)
        yield outcome
        bar.update()
    for names, what in (
      (found.others, "files are neither picture nor video and were not copied"),
      (found.links, "links to folders were not followed; give those folders by themselves"),
    ):
      if names:
        message = f"{len(names)} {what}: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
        yield job.Outcome(str(source), 0, (message,), (), {})
    for path in filter(None, (sidecar, preview)):
      key = _beside(path, target)
      journal.begin(key)
      work.sheet.write(path) if path == preview else _write(path, work, source, outcomes, found)
      journal.made(key, path)


def check_apart(source: pathlib.Path, target: pathlib.Path) -> None:
  """Returns where neither folder lies in the other.

  Raises:
    ValueError: else.
  """
  here, there = source.resolve(), target.resolve()
  if here == there or here in there.parents or there in here.parents:
    raise InputError(f"{target} and {source} lie in each other; write to a folder of its own")


def protect_one(
  work: job.Job, source: pathlib.Path, target: pathlib.Path, name: str, journal: Journal, *, bulk: bool = False
) -> job.Outcome:
  """Protects one of many files, unless the journal knows it as finished; a failure is in the outcome.

  Args:
    work: the tools.
    source: the original.
    target: what is written; of a file that fails nothing is left under this name, but for what this program never made.
    name: what the journal and the outcome call it.
    journal: of what is finished.
    bulk: whether pictures, too, get a record of their own beside them, and all names below OUT are this program's.
  """
  try:
    state = decided_state_of(work.options, source)
  except (OSError, ValueError) as error:
    return _failed(name, one.message_of(error))
  there = lying(target)
  if there is not None and target.parent.resolve() / target.name == source.parent.resolve() / source.name:
    return _failed(name, f"{target} is the original, by a link; it is never replaced")
  if not work.options.overwrite and there is not None and (known := journal.known(name, state, there)) is not None:
    return job.Outcome(name, known.get("hidden", 0), ("done before",), (), known)
  recorded = bulk or (one.kind(source) == one.VIDEO and work.options.sidecar != "")
  sidecar = target.with_name(target.name + ".json") if recorded else None
  written = {name: target} | ({} if sidecar is None else {name + ".json": sidecar})
  if not bulk and not work.options.overwrite:
    for key, path in written.items():
      if not journal.owns(key, lying(path)):
        return _failed(name, f"{path} exists; --overwrite replaces it")
  for key in written if not bulk else ():
    journal.begin(key)
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not one.kind(source):
      raise InputError("neither picture nor video")
    outcome = one.protect(work, source, target, sidecar)
    if bulk:
      one.write_sidecar(work, source, sidecar, outcome)
  except Exception as error:  # whatever a file brings about, the others go on
    # Of an earlier run: it is no longer what this one would make.
    left = [message for path in written.values() if (message := _remove(path))]
    for key, path in written.items() if not bulk else ():
      journal.made(key, path)
    return _failed(name, one.message_of(error), *left)
  record = {"hidden": outcome.hidden} | outcome.record
  if sidecar is not None and not bulk:
    journal.made(name + ".json", sidecar)
  journal.made(name, target, state, None if outcome.failures else record)
  return job.Outcome(name, outcome.hidden, outcome.notes, outcome.failures, record)


def _failed(name, *message):
  return job.Outcome(name, 0, (), message, {"failures": list(message)})


def _remove(path):
  """Removes a file that may be missing; returns why it could not, '' where it is gone."""
  try:
    path.unlink(missing_ok=True)
  except OSError as error:
    return f"what lay there before could not be removed: {one.message_of(error)}" if os.path.isfile(path) else ""
  return ""


def _check_free(work, journal, source, target, path):
  """Raises ValueError where a record or a contact sheet would replace an original, or what is no such thing."""
  here = path.resolve()
  if source.resolve() in here.parents:
    raise InputError(f"{path} lies in IN, {source}; nothing is written there")
  names = (here.name, here.name.removesuffix(".json"))
  if target.resolve() in here.parents and (JOURNAL in names or any(one.kind(pathlib.Path(name)) for name in names)):
    raise InputError(f"{path} may be the name of a protected file in OUT; choose another")
  if not work.options.overwrite and not journal.owns(_beside(path, target), lying(path)):
    raise InputError(f"{path} exists; --overwrite replaces it")


def _beside(path, target):
  """What the journal calls a file beside OUT."""
  return os.path.relpath(path.resolve(), target.resolve())


def decided_state_of(options, path: pathlib.Path) -> list:
  """`state_of` an original, and the digest of what a review file says of it, if it says anything."""
  digest = reviewed.digest(options, path)
  return [*state_of(path), *([digest] if digest else [])]


def settings_of(work: job.Job, source: pathlib.Path) -> str:
  """A digest of all that shapes the pictures, and of the folder that their names are relative to."""
  shaping = {"method": work.method, "hiding": work.hider.description, "detector": work.detector.description}
  shaping["pictures"] = work.of_pictures.description
  shaping["source"] = str(source.resolve())
  # What a review file says of a file is in that file's own state.
  ignored = ("source", "sources", "more", "beside", "target", "output", "overwrite", "preview", "sidecar", "root")
  ignored += ("review_file", "review", "add", "drop")
  shaping["options"] = {key: str(value) for key, value in vars(work.options).items() if key not in ignored}
  return hashlib.sha256(json.dumps(shaping, sort_keys=True, default=str).encode()).hexdigest()


def _write(sidecar, work, source, outcomes, found):
  head = job.head(work, {"name": str(source)}, None, pictures=True) | {
    "version": 1,
    "left_out": found.others + found.links,
  }
  rows = [{"file": outcome.name} | outcome.record for outcome in outcomes]
  records.write_text(sidecar, json.dumps(head | {"files": rows}, indent=1, allow_nan=False) + "\n")
