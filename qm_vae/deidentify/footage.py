"""Moving pictures: found, tracked over a window, hidden, written."""

import collections
import concurrent.futures
import os
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from qm_vae.deidentify import scores, video
from qm_vae.deidentify.contact_sheet import ContactSheet
from qm_vae.deidentify.foresight import Foresight, columns
from qm_vae.deidentify.hiding import Hider
from qm_vae.deidentify.reviewed import Review
from qm_vae.deidentify.selection import Selection
from qm_vae.deidentify.settings import GROUP, Settings
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.tracking import shots
from qm_vae.deidentify.tracking.kept import Follower
from qm_vae.deidentify.tracking.link import Linker
from qm_vae.deidentify.tracking.places import places
from qm_vae.errors import InputError
from qm_vae.types import Detections, Detector

LOST = "a face was lost"
_SIGNALS_EVERY = 0.1  # seconds between looks at the signals that arrived
_MEMORY = 512 * 2**20  # bytes that the window's frames may fill
_BYTES_A_PIXEL = 2  # of a decoded frame, at most for the usual formats of 8 and 10 bits
_LEAST_WINDOW = 8  # frames that are kept however large they are
_LATENCIES = 4096  # newest kept


class FaceLost(InputError, RuntimeError):
  """A face was lost, and `--on-miss=stop` says to stop; the message names frame and track."""


class Result(NamedTuple):
  """What became of a video."""

  frames: int
  faces: int  # hidden, over all frames
  left: int  # left as they are on purpose
  tracks: list[dict]  # see Sidecar.tracks
  blanked: dict[str, int]  # frames that were blanked, by reason
  latency: dict[str, float] | None  # seconds from a live frame's arrival to its being written: mean, p95, most
  seconds: float
  reached: float  # seconds of the video at which the last frame begins
  covered: int  # frames in which a face is hidden
  cuts: int  # at which a shot ends
  doubted: int  # places of kept tracks that were hidden, since the face may be somebody else's


class _Seen(NamedTuple):
  frame: video.Frame
  trouble: str  # why nobody could look; '' where somebody could


def protect(
  source: Iterable,
  sink,
  detector: Detector,
  hider: Hider,
  settings: Settings,
  selection: Selection,
  record: Sidecar,
  sheet: ContactSheet | None,
  tell: Callable[[int], None],
  size: tuple[int, int],
  review: Review | None = None,
) -> Result:
  """Writes every frame of `source` to `sink` with its faces hidden.

  A frame is written once the `window` frames after it are known. One that is damaged, in which nobody could look, or
  whose faces could not be hidden, is blanked.

  Args:
    source: yields video.Frame, and packets that are handed to `sink.copy`.
    sink: has `write` and `copy`; see video/writer.py.
    detector: finds faces.
    hider: hides them.
    settings: see Settings.
    selection: faces that are left alone.
    record: takes every frame.
    sheet: takes every written picture; None for none.
    tell: called with how many frames were written.
    size: (width, height) of the frames, pixels.
    review: with a record of an earlier pass its faces are taken, and none are sought.

  Raises:
    FaceLost: where a face is lost and `settings.on_miss` is 'stop'.
    Whatever source and sink raise.
  """
  settings = within_memory(settings, size)
  state = _State(sink, detector, hider, settings, selection, record, sheet, tell, size, review)
  began = time.perf_counter()
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    group, earlier = [], []
    for one in source:
      if not isinstance(one, video.Frame):
        sink.copy(one)
        continue
      group.append(one)
      if len(group) == settings.group:
        looked = state.look(group, pool)
        if settings.group == 1:  # live: nobody waits for the next frame
          state.take(looked)
        else:  # what was seen before is hidden and written, and more is decoded, while these are searched
          state.take(earlier)
          earlier = looked
        group = []
    state.take(earlier)
    state.take(state.look(group, pool))
    state.finish()
  return state.result(time.perf_counter() - began)


def within_memory(settings: Settings, size: tuple[int, int]) -> Settings:
  """The settings with fewer frames in the window where they are so large that they would fill the memory.

  The others follow: findings are never further apart than the window, for else none would be linked to the next, and
  no face is held for longer.

  Args:
    settings: as they are wanted.
    size: (width, height) of the frames, pixels.
  """
  fit = _MEMORY // (size[0] * size[1] * _BYTES_A_PIXEL)
  window = int(max(min(settings.window, fit), min(settings.window, _LEAST_WINDOW)))
  every = min(settings.every, max(window, 1))
  return settings._replace(window=window, every=every, hold=min(settings.hold, window))


class _State:
  """The window between what has been seen and what has been written."""

  def __init__(self, sink, detector, hider, settings, selection, record, sheet, tell, size, review):
    self._earlier = review if review and review.record is not None else None
    self._sink, self._detector, self._hider, self._settings = sink, detector, hider, settings
    self._selection, self._record, self._sheet, self._tell, self._size = selection, record, sheet, tell, size
    self._linker = Linker(detector.strong, detector.weak, settings.window)
    self._shots = shots.Shots()
    self._followers = {number: Follower() for number in selection.followed}
    self._seen = collections.deque()
    self._looked = set()
    self._frames = self._faces = self._left = self._covered = self._doubted = 0
    self._reached = 0.0
    self._blanked = collections.Counter()
    self._latencies = collections.deque(maxlen=_LATENCIES)
    self._foresight = Foresight(hider, selection, self._places)

  def look(self, group, pool):
    """Begins to look for faces in a group of frames; `take` waits for what is found."""
    sought = [not self._earlier and frame.number % self._settings.every == 0 for frame in group]
    return [(*one, pool.submit(self._look, *one)) for one in zip(group, sought, strict=True)]

  def take(self, looked):
    """Follows the faces of frames that were looked at, and writes the frames that have left the window."""
    for frame, looks, found in looked:
      while not found.done():  # an endless wait would not notice a signal that another thread received
        concurrent.futures.wait([found], _SIGNALS_EVERY)
      detections, trouble, look = found.result()
      if look is not None and self._shots.add(frame.number, look):
        self._linker.end()
        if not looks and not self._earlier:  # nobody knows who is in the new shot
          looks, (detections, trouble, _) = True, self._look(frame, True)
      if looks and not trouble:
        self._linker.add(frame.number, detections)
        self._looked.add(frame.number)
      self._seen.append(_Seen(frame, trouble))
    ready = max(len(self._seen) - self._settings.window, 0)
    for start in range(0, ready, GROUP):
      self._write([self._seen.popleft() for _ in range(min(GROUP, ready - start))])

  def finish(self):
    """Writes what is left in the window."""
    while self._seen:
      self._write([self._seen.popleft() for _ in range(min(GROUP, len(self._seen)))])

  def _look(self, frame, sought):
    look = None
    try:
      picture = frame.pixels()
      look = shots.look(picture)
      trouble = self._earlier.trouble(frame.number) if self._earlier else ""
      return self._detector.find(picture) if sought else None, trouble, look
    except Exception as error:  # whatever went wrong in there, the frame is blanked and the reason reported
      nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
      return nobody, f"not looked at: {error}", look

  def _write(self, group):
    chosen = [self._chosen(seen) for seen in group]
    reasons = [self._reason(seen, faces) for seen, faces in zip(group, chosen, strict=True)]
    pictures = self._hidden(group, chosen, reasons)
    for seen, picture, faces, reason in zip(group, pictures, chosen, reasons, strict=True):
      if picture is None:
        reason = reason or "a face could not be hidden"
        picture = np.zeros((self._size[1], self._size[0], 3), np.uint8)
      elif self._settings.draw_scores:
        scores.draw(picture, [place.box for place, _ in faces], [place.score for place, _ in faces])
      deep = [seen.frame] if seen.frame.deep and not reason else []
      self._sink.write(picture, seen.frame.ticks, seen.frame.duration, *deep)
      if seen.frame.arrived:
        self._latencies.append(time.monotonic() - seen.frame.arrived)
      self._record.frame(seen.frame.number, seen.frame.time, faces, reason, cut=self._shots.begins(seen.frame.number))
      if self._sheet:
        self._sheet.add(picture)
      self._frames += 1
      self._reached = seen.frame.time
      self._blanked.update([reason] if reason else [])
      self._covered += any(hidden for _, hidden in faces)
      self._faces += sum(hidden for _, hidden in faces)
      self._left += sum(not hidden for _, hidden in faces)
    self._forget(group[-1].frame.number)
    self._tell(len(group))

  def _chosen(self, seen):
    """The faces of a frame, each with whether it is to be hidden."""
    number = seen.frame.number
    known = self._places(number)
    chosen = [(place, self._selection.hides(place.box, number, place.track)) for place in known]
    if not self._followers or seen.trouble or seen.frame.damaged:
      return chosen
    for i, (place, hidden) in enumerate(chosen):
      if place.track in self._followers and not hidden:
        others, follower = known[:i] + known[i + 1 :], self._followers[place.track]
        if not follower.certain(number, place, others, seen.frame.pixels(), self._shots.steady(number)):
          chosen[i] = (place, True)
          self._doubted += 1
    return chosen

  def _places(self, number):
    """The faces of a frame, and what a person drew there."""
    if self._earlier:
      found = self._earlier.places(number)
    else:
      hold, reaches = self._settings.hold, self._shots.reaches
      found = places(self._linker.tracks, number, self._looked, hold, self._size, reaches)
    return [*found, *self._selection.added(number)]

  def _reason(self, seen, faces):
    """Why a frame is blanked; '' where it is not."""
    if seen.frame.damaged:
      return "damaged"
    if seen.trouble:
      return seen.trouble
    lost = [place.track for place, hidden in faces if hidden and place.lost]
    if lost and self._settings.on_miss == "stop":
      raise FaceLost(
        f"frame {seen.frame.number} ({seen.frame.time:.2f} s): the face of track {lost[0]} was lost; --on-miss=hold or "
        "mask goes on"
      )
    return LOST if lost and self._settings.on_miss == "mask" else ""

  def _hidden(self, group, chosen, reasons):
    """The protected pictures; None for those that are to be blanked."""
    clear = [i for i, reason in enumerate(reasons) if not reason]
    faces = [[place for place, hidden in chosen[i] if hidden] for i in clear]
    boxes, tracks = columns(faces)
    made, times = [None] * len(group), [group[i].frame.time for i in clear]
    self._foresight(group[-1].frame, (seen.frame for seen in self._seen if not seen.trouble))
    try:
      done = self._hider([group[i].frame.pixels() for i in clear], boxes, tracks, times)
    except Exception:  # one by one, so that the others of the group are not blanked with it
      done = [self._alone(group[i], *one) for i, *one in zip(clear, boxes, tracks, strict=True)]
    for i, picture in zip(clear, done, strict=True):
      made[i] = picture
    return made

  def _alone(self, seen, boxes, tracks):
    try:
      return self._hider([seen.frame.pixels()], [boxes], [tracks], [seen.frame.time])[0]
    except Exception:  # whatever went wrong in there, the frame is blanked
      return None

  def _forget(self, frame):
    self._linker.forget(frame)
    self._shots.forget(frame - self._settings.hold - self._settings.window)
    horizon = frame - self._settings.hold - self._settings.window
    self._looked = {n for n in self._looked if n >= horizon}

  def result(self, seconds):
    latency = None
    if self._latencies:
      times = np.array(self._latencies)
      latency = {"mean": float(times.mean()), "p95": float(np.quantile(times, 0.95)), "most": float(times.max())}
    return Result(
      self._frames,
      self._faces,
      self._left,
      self._record.tracks,
      dict(self._blanked),
      latency,
      round(seconds, 3),
      self._reached,
      self._covered,
      self._shots.cuts,
      self._doubted,
    )
