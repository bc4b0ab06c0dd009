"""Runs `deidentify` once more with what was decided."""

import os
import pathlib
import shlex
import subprocess
import sys
import threading
import time
from typing import Any

from qm_vae.deidentify import job, options
from qm_vae.errors import InputError
from qm_vae.review.files import FOLDER, Job

_PROGRAM = ["python", "-m", "qm_vae.deidentify"]
_FLAGS = ("--overwrite", "--review")
_VALUES = ("--add", "--drop", "--review-file")
_SHOWN = 4000  # letters of the program's last words


class CannotApply(InputError):
  """The command of the job cannot be run again from here; the message says what to do by hand."""


def command(work: Job, review: pathlib.Path) -> tuple[list[str], pathlib.Path]:
  """The arguments of `deidentify` that apply a review file, and the folder in which they hold.

  Raises:
    CannotApply: where OUT.json's command is another program's, or would write something else than this job's files.
  """
  words = shlex.split(work.head.get("command") or "")
  if words[:3] != _PROGRAM:
    raise CannotApply(f"{work.sidecar} was written by another program; rerun that with --review-file={review}")
  kept = _without(words[3:])
  try:
    given = options.parse(kept)
  except SystemExit:
    raise CannotApply(f"the options in {work.sidecar} are not those of this version: {shlex.join(kept)}") from None
  here = next((place for place in _places(work) if _writes(given, place, work)), None)
  if here is None:
    raise CannotApply(
      f"{work.sidecar} was made elsewhere; apply it by hand: {shlex.join([*_PROGRAM, *kept])} --review-file={review}"
    )
  if work.source is None:
    raise CannotApply("the original is not there; start this program with --source=PATH")
  kept = [str(work.source) if word == given.source else word for word in kept]
  more = [] if work.kind == FOLDER else ["--overwrite"]
  return [*kept, f"--review-file={review.resolve()}", *more], here


def shown(arguments: list[str], place: pathlib.Path) -> str:
  """What to type to run the arguments of `command` by hand."""
  return f"cd {shlex.quote(str(place))}\n{shlex.join([*_PROGRAM, *arguments])}"


def _without(words):
  """The arguments less those that the review file replaces."""
  kept, skip = [], False
  for word in words:
    name = word.partition("=")[0]
    if skip:
      skip = False
    elif name in _VALUES:
      skip = "=" not in word
    elif name not in _FLAGS:
      kept.append(word)
  return kept


def _places(work):
  """Folders in which the job's relative paths may hold."""
  return (pathlib.Path.cwd(), *work.sidecar.resolve().parents)


def _writes(given, place, work):
  """Whether the options, in a folder, write just what the job wrote."""
  target = place / options.path_of(given.target)
  sidecar = job.sidecar_path(given, target)
  same = target.resolve() == work.protected.resolve()
  return same and sidecar is not None and (place / sidecar).resolve() == work.sidecar.resolve()


class Application:
  """One run at a time, in a process of its own."""

  def __init__(self):
    self._lock, self._process, self._began, self._text, self._code = threading.Lock(), None, 0.0, "", None

  def start(self, arguments: list[str], place: pathlib.Path, done) -> bool:
    """Begins; False where one runs already. `done` is called, with whether it went well, when it has ended."""
    with self._lock:
      if self._process is not None:
        return False
      # The package is found in its folder, whatever the job's is.
      root = str(pathlib.Path(__file__).resolve().parents[2])
      path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
      self._process = subprocess.Popen(
        [sys.executable, "-m", "qm_vae.deidentify", *arguments],
        cwd=place,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
      )
      self._began, self._text, self._code = time.monotonic(), "", None
    threading.Thread(target=self._follow, args=(self._process, done), daemon=True).start()
    return True

  def _follow(self, process, done):
    while piece := process.stderr.read(256):
      self._text = (self._text + piece)[-_SHOWN:]
    code = process.wait()
    try:
      done(code == 0)
    except Exception as error:  # the page must learn of it, whatever it is
      self._text += f"\n{error}"
      code = code or 1
    with self._lock:
      self._process, self._code = None, code

  def stop(self) -> None:
    """Ends what runs; nothing half-written is left."""
    with self._lock:
      if self._process is not None:
        self._process.terminate()

  def state(self) -> dict[str, Any]:
    """{"running", "seconds", "text" (the program's last lines), "code" (None before any end)}."""
    running = self._process is not None
    lines = [line.rsplit("\r", 1)[-1] for line in self._text.split("\n")]
    return {
      "running": running,
      "seconds": round(time.monotonic() - self._began, 1) if running else 0.0,
      "text": "\n".join(lines)[-_SHOWN:].strip(),
      "code": self._code,
    }
