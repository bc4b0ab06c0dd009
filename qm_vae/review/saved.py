"""OUT.review.json: what a person decided and looked at, saved after every step."""

import datetime
import json
import pathlib
import threading
from typing import Any

from qm_vae.deidentify import decisions, job
from qm_vae.errors import InputError
from qm_vae.io import records
from qm_vae.review.files import FOLDER, PICTURE, Job

_MOST = 100_000  # decisions or moments of one file, letters of a note
_NAME = 200  # letters


class Outdated(InputError, RuntimeError):
  """Another window saved since; what it saved would be lost."""


class Saved:
  """The review file of a job; `revision` grows with every change."""

  def __init__(self, work: Job, path: pathlib.Path | None = None):
    """Reads the file, OUT.review.json unless `path` names another; without one begins with the record's decisions.

    Raises:
      ValueError: for a file that is no review file, or one that was made of another job.
    """
    self._job = work
    self.path = path or work.protected.with_name(work.protected.name + ".review.json")
    self._lock, self.revision = threading.Lock(), 0
    self._signed: dict[str, Any] | None = None
    self._entries = {file.name: self._fresh(file) for file in work.files}
    if self.path.exists():
      before = decisions.read(self.path)
      self._signed = before.signed
      for file in work.files:
        known = before.entries.get(file.name)
        if known is None:
          continue
        if known.get("sha256") and file.sha256 and known["sha256"] != file.sha256:
          raise InputError(f"{self.path} is of another file than {work.sidecar}; name another with --review-file=PATH")
        self._entries[file.name] |= {key: known[key] for key in ("decisions", "seen") if key in known}
        if known.get("sha256"):
          self._entries[file.name]["sha256"] = known["sha256"]

  def _fresh(self, file):
    entry: dict[str, Any] = {"file": file.name, "sha256": file.sha256}
    if file.record is not None:
      entry["finding"] = file.record.head.get("finding")
    return entry | {"decisions": decisions.to_json(file.before.rows), "seen": []}

  def of(self, name: str) -> dict[str, Any]:
    """{"decisions", "seen"} of a file."""
    return {key: self._entries[name][key] for key in ("decisions", "seen")}

  @property
  def signed(self) -> dict[str, Any] | None:
    """{"by", "at", "note"}, or None."""
    return self._signed

  @property
  def decided(self) -> bool:
    """Whether anything was decided about any file."""
    return any(entry["decisions"] for entry in self._entries.values())

  def put(self, name: str, content: Any, revision: int) -> int:
    """Replaces what is saved of a file, takes a signature back, and returns the new revision.

    Args:
      name: of the file.
      content: {"decisions": [...], "seen": [...]}.
      revision: that the page knows.

    Raises:
      ValueError: for content of another form.
      Outdated: where another window saved since.
    """
    if not isinstance(content, dict) or set(content) != {"decisions", "seen"}:
      raise InputError("what is saved has 'decisions' and 'seen'")
    rows = decisions.to_json(decisions.of_json(content["decisions"], name).rows)
    seen = content["seen"]
    if not isinstance(seen, list) or not all(isinstance(one, str) and len(one) < _NAME for one in seen):
      raise InputError("'seen' is a list of short names of moments")
    if len(rows) > _MOST or len(seen) > _MOST:
      raise InputError(f"more than {_MOST} decisions or moments")
    with self._lock:
      self._check(revision)
      changed = rows != self._entries[name]["decisions"]
      self._entries[name] |= {"decisions": rows, "seen": seen}
      self._signed = None if changed else self._signed
      return self._write()

  def sign(self, by: str, note: str, revision: int) -> int:
    """Notes who looked everything through; returns the new revision.

    Raises:
      ValueError: without a name, or for texts that are too long.
      Outdated: where another window saved since.
    """
    if not isinstance(by, str) or not isinstance(note, str) or not by.strip():
      raise InputError("a signature needs a name")
    if len(by) > _NAME or len(note) > _MOST:
      raise InputError(f"a name has at most {_NAME} letters, a note {_MOST}")
    with self._lock:
      self._check(revision)
      at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
      self._signed = {"by": by.strip(), "at": at, "note": note.strip()}
      return self._write()

  def _check(self, revision):
    if revision != self.revision:
      raise Outdated("another window saved since; reload the page")

  def _write(self):
    if self._job.kind == FOLDER:
      self._hash()
    content = {"version": decisions.VERSION, "record": self._job.sidecar.name}
    chosen = [entry for entry in self._entries.values() if entry["decisions"] or entry["seen"]]
    content |= {"signed": self._signed, "files": chosen if self._job.kind == FOLDER else list(self._entries.values())}
    records.write_text(self.path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    self.revision += 1
    return self.revision

  def _hash(self):
    """Notes which picture was decided about: a folder's record has no hashes of pictures."""
    for file in self._job.files:
      entry = self._entries[file.name]
      if file.kind == PICTURE and entry["decisions"] and not entry["sha256"] and file.has_original:
        entry["sha256"] = job.sha256(file.original())
