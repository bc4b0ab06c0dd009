"""What python -m qm_vae.deidentify does once its command line is read."""

import argparse
import signal
import subprocess
import sys

from qm_vae.deidentify import folder, job, methods, moving, one, options, reviewed, summary
from qm_vae.deidentify.options import FAILED, OK, USAGE
from qm_vae.errors import InputError
from qm_vae.io import cache

_ASKED = 20  # videos of a folder that are asked whether they have sound


def run(given: argparse.Namespace, command: str) -> int:
  """Protects what the options name; returns the exit status.

  Args:
    given: of options.parse.
    command: the command line, for the records.
  """
  cache.use(cache.user_cache() / "xla")
  signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends a service cleans up like Ctrl-C
  try:
    if given.audio and _has_sound(given):
      _say("warning: the sound is kept, and voices identify people; --no-audio leaves it out")
    work = job.open_job(given, command)
    for warning in (_warning(given, work.detector.description), methods.warning(work.method["name"])):
      if warning:
        _say(warning)
    each = options.each(given)
    places = [_places(one_of) for one_of in each]
    reviewed.check(given, _names(given))
  except InputError as error:
    _say(f"error: {error}")
    return USAGE
  outcomes, failed = [], False
  try:
    if len(each) > 1 and not given.beside:
      options.path_of(given.target).mkdir(parents=True, exist_ok=True)
    for one_of, (source, target) in zip(each, places, strict=True):
      failed |= not _done(work.of(one_of), source, target, outcomes)
  except KeyboardInterrupt:
    _say("interrupted: the unfinished file was removed; rerun the command to resume a folder")
    failed = True
  failed |= any(outcome.failures for outcome in outcomes)
  written = [(one_of, target) for one_of, (_, target) in zip(each, places, strict=True)]
  for line in summary.lines(outcomes, [place for pair in written for place in _written(*pair)]):
    _say(line)
  if given.review:  # a program of its own: they meet in OUT.json
    for one_of, target in written:
      review = [sys.executable, "-m", "qm_vae.review", str(job.sidecar_path(one_of, target))]
      failed |= bool(subprocess.run(review, check=False).returncode)
  return FAILED if failed else OK


def _done(work, source, target, outcomes):
  """Appends what becomes of IN to `outcomes`; whether nothing ended it."""
  try:
    for outcome in _outcomes(work, source, target):
      outcomes.append(outcome)
  except (InputError, OSError, ImportError) as error:
    name = str(work.options.source)
    _say(f"error: {error}" if name in str(error) else f"error: {name}: {one.message_of(error)}")
    return False
  return True


def _written(given, target):
  sidecar, preview = job.sidecar_path(given, target), job.preview_path(given, target)
  return ("output", target), ("sidecar", sidecar), ("contact sheet", preview)


def _names(given):
  """What a review file may call the files of all IN; nothing without one."""
  for path in map(options.path_of, given.sources if given.review_file else ()):
    yield from (below.as_posix() for below in folder.walk(path).wanted) if path.is_dir() else (path.name,)


def _has_sound(given):
  """Whether a video of IN is known to have sound; of a folder the first ones are asked."""
  if given.live or given.source == "-":
    return False
  for path in map(options.path_of, given.sources):
    videos = [path / name for name in folder.walk(path).wanted] if path.is_dir() else [path] if path.is_file() else []
    videos = [one_of for one_of in videos if one.kind(one_of) != one.PICTURE]
    if videos:
      from qm_vae.deidentify.video import opening  # PyAV, for those alone who have videos

      if any(opening.has_sound(str(video)) for video in videos[:_ASKED]):
        return True
  return False


def _warning(given, found):
  """What the user of a weak detector should know first."""
  if found["name"] != "haar":
    return ""
  weak = "the Haar cascade misses turned, small and covered faces"
  if given.detector == "haar":
    return f"warning: {weak}; --detector=centerface finds them"
  return f"warning: CenterFace is not installed (pip install -r requirements-video.txt), and {weak}"


def _places(given):
  """Source and target as paths; None for a source that is no path."""
  target = options.path_of(given.target)
  if target.name in ("", ".."):  # what lies beside it is named after it
    target = target.resolve()
    if not target.name:
      raise InputError(f"OUT is {target}; name a file or folder below it")
  if given.live or given.source == "-":
    source = None
  else:
    source = options.path_of(given.source)
    if not source.exists():
      raise InputError(f"IN is {given.source!r}, which does not exist")
    if not source.is_file() and not source.is_dir():
      raise InputError(
        f"IN, {given.source!r}, is a pipe or a device, which cannot be read twice; give a file, a camera's number, or "
        "- with --raw for raw frames on standard input"
      )
    if target.exists() and source.samefile(target):
      raise InputError(f"OUT is IN, {target}; the original is never replaced")
  if given.target == "-" and (given.preview or (source and source.is_dir())):
    raise InputError("OUT is -: raw frames have no preview and no folder; name a file or folder")
  job.check_beside(given, source, target)
  if source is None or not source.is_dir():
    if target.is_dir():
      raise InputError(f"OUT is the folder {target}; name a file")
    if target.exists() and not given.overwrite and given.target != "-":
      raise InputError(f"OUT, {target}, exists; --overwrite replaces it")
    if source and one.kind(source) == one.PICTURE and given.target == "-":
      raise InputError("OUT is -, but IN is a picture; name a file")
    for path in (job.sidecar_path(given, target), job.preview_path(given, target)):
      if path and path.exists() and not given.overwrite:
        raise InputError(f"{path}, which would be written beside OUT, exists; --overwrite replaces it")
  return source, target


def _outcomes(work, source, target):
  if source is not None and source.is_dir():
    yield from folder.protect(work, source, target)
    return
  sidecar, preview = job.sidecar_path(work.options, target), job.preview_path(work.options, target)
  if source is None:
    yield moving.protect(work, work.options.source, target, sidecar)
  else:
    outcome = one.protect(work, source, target, sidecar)
    if sidecar is not None:
      one.write_sidecar(work, source, sidecar, outcome)
    yield outcome
  if preview is not None:
    work.sheet.write(preview)


def _say(text):
  """Prints a line; what in a file's name would steer the terminal, or forge a line of its own, is written out."""
  line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
  print(line, file=sys.stderr, flush=True)
