"""The command line: python -m qm_vae.deidentify."""

import shlex
import signal
import subprocess
import sys

from qm_vae.deidentify import folder, job, methods, moving, one, options, summary
from qm_vae.io import cache

OK, FAILED, USAGE = range(3)


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  arguments = sys.argv[1:] if arguments is None else arguments
  given = options.parse(arguments)
  cache.use(cache.user_cache() / "xla")
  signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends a service cleans up like Ctrl-C
  try:
    work = job.open_job(given, "python -m qm_vae.deidentify " + shlex.join(arguments))
    for warning in (_warning(given, work.detector.description), methods.warning(work.method["name"])):
      if warning:
        _say(warning)
    source, target = _places(given)
  except ValueError as error:
    _say(f"error: {error}")
    return USAGE
  outcomes = []
  try:
    for outcome in _outcomes(work, source, target):
      outcomes.append(outcome)
  except KeyboardInterrupt:
    _say("interrupted: the unfinished file was removed; rerun the command to resume a folder")
    return _summary(work, outcomes, FAILED, target)
  except (ValueError, OSError, RuntimeError, ImportError) as error:
    _say(
      f"error: {given.source}: {one.message_of(error)}" if str(given.source) not in str(error) else f"error: {error}"
    )
    return _summary(work, outcomes, FAILED, target)
  status = _summary(work, outcomes, FAILED if any(outcome.failures for outcome in outcomes) else OK, target)
  if given.review:  # a program of its own: they meet in OUT.json
    sidecar = job.sidecar_path(given, target)
    review = subprocess.run([sys.executable, "-m", "qm_vae.review", str(sidecar)], check=False)
    return max(status, FAILED if review.returncode else OK)
  return status


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
      raise ValueError(f"OUT is {target}; name a file or folder below it")
  if given.live or given.source == "-":
    source = None
  else:
    source = options.path_of(given.source)
    if not source.exists():
      raise ValueError(f"IN is {given.source!r}, which does not exist")
    if target.exists() and source.resolve() == target.resolve():
      raise ValueError(f"OUT is IN, {target}; the original is never replaced")
  if given.target == "-" and (given.preview or (source and source.is_dir())):
    raise ValueError("OUT is -: raw frames have no preview and no folder; name a file or folder")
  job.check_beside(given, source, target)
  if source is None or not source.is_dir():
    if target.is_dir():
      raise ValueError(f"OUT is the folder {target}; name a file")
    if target.exists() and not given.overwrite and given.target != "-":
      raise ValueError(f"OUT, {target}, exists; --overwrite replaces it")
    if source and one.kind(source) == one.PICTURE and given.target == "-":
      raise ValueError("OUT is -, but IN is a picture; name a file")
    for path in (job.sidecar_path(given, target), job.preview_path(given, target)):
      if path and path.exists() and not given.overwrite:
        raise ValueError(f"{path}, which would be written beside OUT, exists; --overwrite replaces it")
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


def _summary(work, outcomes, status, target):
  written = (("output", target), ("sidecar", job.sidecar_path(work.options, target)))
  for line in summary.lines(outcomes, (*written, ("contact sheet", job.preview_path(work.options, target)))):
    _say(line)
  return status


def _say(text):
  print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
  sys.exit(main())
