"""One file: a picture or a video."""

import json
import pathlib

from qm_vae.deidentify import job, moving, pictures, reviewed, selection
from qm_vae.deidentify.video import codecs
from qm_vae.errors import InputError
from qm_vae.io import images, records

PICTURE, VIDEO = "picture", "video"

UNREAD = (".jxl", ".jp2", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
"""Suffixes of pictures that nothing here reads: each is a failure, not a file of another kind."""


def kind(path: pathlib.Path) -> str:
  """'picture', 'video' or '' by the suffix; an animated .gif is a video, one with a single frame a picture."""
  suffix = path.suffix.lower()
  if suffix in codecs.SUFFIXES:
    return VIDEO
  return PICTURE if suffix in images.SUFFIXES or suffix in UNREAD else ""


def protect(work: job.Job, source: pathlib.Path, target: pathlib.Path, sidecar: pathlib.Path | None) -> job.Outcome:
  """Protects one file; what it is follows from its suffix, and no suffix that is known means a video.

  Raises:
    InputError, OSError, ImportError: naming what failed; nothing is written then.
  """
  if kind(source) == PICTURE:
    return _picture(work, source, target)
  return moving.protect(work, str(source), target, sidecar)


def write_sidecar(work: job.Job, source: pathlib.Path, sidecar: pathlib.Path, outcome: job.Outcome) -> None:
  """Writes a picture's own record; a video's was written with it."""
  if kind(source) == PICTURE:
    origin = {"name": str(source), "sha256": job.sha256(source)}
    record = {"version": 1} | job.head(work, origin, None, pictures=True)
    records.write_text(sidecar, json.dumps(record | outcome.record, indent=1, allow_nan=False) + "\n")


def _picture(work, source, target):
  options = work.options
  review = reviewed.of_picture(work, source)
  chosen = selection.Selection(selection.parse(options.keep, None), selection.parse(options.only, None))
  done = pictures.protect_file(
    source,
    target,
    work.of_pictures,
    review.hider(work),
    review.selection(chosen),
    on_miss=options.on_miss,
    keep_metadata=options.keep_metadata,
    draw_scores=options.draw_scores,
  )
  if work.sheet:
    work.sheet.add(done.image)
  failures = (pictures.UNCHANGED,) if not done.faces and options.on_miss == "fail" else ()
  record = {"faces": done.faces, "smallest": done.smallest, "notes": done.notes} | review.head
  record |= {"unchanged": True} if not done.faces and options.on_miss != "mask" else {}
  record |= {"failures": list(failures)} if failures else {}
  return job.Outcome(str(source), done.hidden, tuple(done.notes), failures, record)


def message_of(error: Exception) -> str:
  """An error in words, for a list; of a class that nobody raises on purpose, with the name of the class."""
  if isinstance(error, OSError) and error.strerror:
    return f"{error.filename or ''}: {error.strerror}".lstrip(": ")
  expected = isinstance(error, (InputError, OSError, ImportError)) and str(error)
  return str(error) if expected else f"{type(error).__name__}: {error}".removesuffix(": ")
