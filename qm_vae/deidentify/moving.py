"""One video, stream or pipe from end to end."""

import contextlib
import pathlib
import signal
import sys
import threading

from qm_vae.deidentify import footage, job, reviewed, selection, video
from qm_vae.deidentify.settings import Settings
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.video import raw
from qm_vae.faces.detectors import tiles
from qm_vae.io import progress

_TRACKING = 2  # another number: tracks have other numbers than in the records that earlier versions wrote
_LIVE_WINDOW = 5  # frames
_ALLOWED_SHORT = 2  # frames by which a whole file's count may be off its own statement
_ALLOWED_SECONDS = 0.5  # the same where it states no count but a duration
_ALLOWED_SHARE = 0.01  # and the share of either


def protect(work: job.Job, name: str, target: pathlib.Path, sidecar: pathlib.Path | None) -> job.Outcome:
  """Reads the video, stream or pipe called `name`, and writes it to `target` ('-': standard output) with faces hidden.

  Nothing stands under the name of `target` until it is whole. Live pictures end at SIGINT and SIGTERM, and what was
  read is written; the second of them raises KeyboardInterrupt, as the first does with other sources.

  Raises:
    ValueError: for options that do not go together.
    video.VideoError, OSError, footage.FaceLost, KeyboardInterrupt: nothing is left then.
  """
  options = work.options
  source = _open(options, name)
  with contextlib.closing(source), _stopped_by_signals(source) if options.live else contextlib.nullcontext():
    settings = _settings(options, (source.width, source.height))
    origin, finding = _origin(work, source, name, settings)
    review = reviewed.of_video(work, name, sidecar, finding)
    chosen = selection.Selection(selection.parse(options.keep, finding), selection.parse(options.only, finding))
    work = work._replace(hider=review.hider(work))
    record = Sidecar(sidecar, job.head(work, origin, finding) | review.head)
    try:
      sink = _sink(options, target, source)
    except BaseException:
      record.abort()
      raise
    try:
      hider = work.hider.of((origin["sha256"] or name).encode())
      result = _run(work, source, sink, hider, settings, review.selection(chosen), record, review)
      outcome = _outcome(work, name, source, sink, result, settings, chosen)
      sink.close()
      record.close(outcome.record)
    except BaseException:
      sink.abort()
      record.abort()
      raise
    return outcome


def _open(options, name):
  if name == "-":
    return raw.Reader(sys.stdin.buffer, *options.raw)
  # PyAV is loaded for those alone who need it.
  if options.live:
    from qm_vae.deidentify.video import live

    return live.Reader(name, seconds=options.end)
  from qm_vae.deidentify.video import reader

  return reader.Reader(name, start=options.start, end=options.end)


def _sink(options, target, source):
  if str(target) == "-":
    return raw.Writer(sys.stdout.buffer)
  from qm_vae.deidentify.video import writer

  return writer.Writer(
    target,
    source,
    codec=options.codec,
    quality=options.quality,
    bitrate=options.bitrate,
    preset=options.preset,
    audio=options.audio,
    subtitles=options.subtitles,
    keep_metadata=options.keep_metadata,
  )


def _settings(options, size):
  window = (_LIVE_WINDOW if options.live else Settings().window) if options.window is None else options.window
  window = max(window, options.every)
  hold = window if options.hold is None else max(options.hold, options.every)
  settings = Settings(options.every, window, hold, options.on_miss, options.draw_scores)
  return footage.within_memory(settings._replace(group=1 if options.live else settings.group), size)


def _origin(work, source, name, settings):
  """What the source is, and what decides the numbers of tracks; None for pictures that come but once."""
  stream_info = {"name": name, "width": source.width, "height": source.height, "rate": float(source.rate)}
  stream_info |= {"codec": source.codec, "pixel_format": source.pixel_format, "left_out": list(source.left_out)}
  if not pathlib.Path(name).is_file():
    return stream_info | {"sha256": None}, None
  stream_info["sha256"] = job.sha256(name)
  finding = {"sha256": stream_info["sha256"], "detector": work.detector.description, "start": work.options.start}
  return stream_info, finding | {
    "end": work.options.end,
    "every": settings.every,
    "window": settings.window,
    "tracking": _TRACKING,
  }


def _run(work, source, sink, hider, settings, chosen, record, review):
  with progress.bar(source.expected, pathlib.Path(source.name).name or "-", "frame") as bar:
    try:
      return footage.protect(
        source,
        sink,
        work.detector,
        hider,
        settings,
        chosen,
        record,
        work.sheet,
        bar.update,
        (source.width, source.height),
        review,
      )
    finally:
      bar.total = bar.n if bar.total is None else bar.total


@contextlib.contextmanager
def _stopped_by_signals(source):
  """Within, SIGINT and SIGTERM stop the live `source`, wherever the program is at that moment; a second one interrupts.

  Only the main thread hears signals; in another one nothing changes. A signal that is ignored remains so.
  """
  signals = []

  def stop(*_):
    if signals:
      raise KeyboardInterrupt
    signals.append(True)
    source.stop()

  before = {}
  try:
    if threading.current_thread() is threading.main_thread():
      for number in (signal.SIGINT, signal.SIGTERM):
        if (usual := signal.getsignal(number)) not in (signal.SIG_IGN, None):
          before[number] = usual
          signal.signal(number, stop)
    yield
  finally:
    for number, usual in before.items():
      signal.signal(number, usual)


def _outcome(work, name, source, sink, result, settings, chosen):
  notes, failures = [*sink.notes, *source.notes, *(f"left out: {what}" for what in source.left_out)], []
  if not result.frames:
    raise video.VideoError(f"{name} gave no frame")
  frame_size = (source.width, source.height)
  smallest = tiles.smallest(work.detector.description, frame_size)
  if not result.tracks:
    (failures if settings.on_miss == "fail" else notes).append("no face was found in any frame")
  if smallest is not None and smallest > work.options.min_size + 0.5:
    notes.append(
      f"faces below {smallest:.0f} pixels could not be found: frames of {source.width} x {source.height} are shrunk "
      "for the search; --tiles searches them piece by piece"
    )
  lost = [track["track"] for track in result.tracks if track["lost"]]
  if lost:
    held = f"its last place stayed hidden for {settings.hold} frames"
    done = {"hold": held, "fail": held, "mask": "those frames are blanked"}
    (failures if settings.on_miss == "fail" else notes).append(
      f"{len(lost)} of {len(result.tracks)} tracks begin or end inside the picture, where a face may have been "
      f"missed ({done[settings.on_miss]}): {', '.join(map(str, lost[:20]))}{', ...' if len(lost) > 20 else ''}"
    )
  if result.doubted:
    notes.append(f"{result.doubted} places of kept tracks are hidden: the face there may be somebody else's")
  if result.cuts and any(isinstance(one, selection.Region) for one in chosen.keep):
    notes.append(f"there are {result.cuts} cuts: a region that is kept leaves whoever is in it, in every shot")
  if settings.every < work.options.every:
    notes.append(
      f"faces were sought in every {settings.every} frames, not {work.options.every}: of {source.width} x "
      f"{source.height} pixels no more than {settings.window} frames are kept, and findings may not lie further apart"
    )
  for reason, count in result.blanked.items():
    stream_info = f"{count} frames were blanked: {reason}"
    (notes if reason == footage.LOST else failures).append(stream_info)
  if source.damaged_packets:
    failures.append(f"{source.damaged_packets} packets could not be decoded; what they showed is missing")
  failures += _short(work.options, source, result)
  live = {}
  if work.options.live:
    live = {"dropped": source.dropped, "latency": result.latency}
    notes.append(f"{source.dropped} frames came too fast and were dropped; latency {_ms(result.latency)}")
    if source.broken:
      failures.append(source.broken)
  people = sum(track["found"] + track["filled"] + track["held"] > track["left"] for track in result.tracks)
  summary = {"frames": result.frames, "hidden": result.faces, "left": result.left, "blanked": result.blanked}
  summary |= {"tracks": len(result.tracks), "people": people, "frames_hidden": result.covered, "cuts": result.cuts}
  summary |= {"smallest": None if smallest is None else round(smallest, 1)}
  summary |= {"seconds": result.seconds, "frames_per_second": round(result.frames / max(result.seconds, 1e-9), 2)}
  output = {"codec": sink.codec, "hold": settings.hold, "on_miss": settings.on_miss, "feather": work.options.feather}
  record = {"output": output, "summary": summary | live, "notes": notes, "failures": failures}
  return job.Outcome(name, result.faces, tuple(notes), tuple(failures), record)


def _short(options, source, result):
  """Why the video is shorter than it says; nothing where a part was asked for, or where it does not say."""
  if options.start or options.end is not None or options.live:
    return []
  if source.exact and source.expected - result.frames > max(_ALLOWED_SHORT, _ALLOWED_SHARE * source.expected):
    return [f"it ended early, with {result.frames} of {source.expected} frames; the file may be truncated"]
  missing = (source.duration or 0) - result.reached - float(1 / source.rate)
  if not source.exact and missing > max(_ALLOWED_SECONDS, _ALLOWED_SHARE * (source.duration or 0)):
    return [f"it ended early, at {result.reached:.2f} of {source.duration:.2f} s; the file may be truncated or damaged"]
  return []


def _ms(latency):
  if not latency:
    return "unknown"
  return ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in latency.items())
