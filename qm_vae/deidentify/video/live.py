"""Live pictures: the newest frames, where the work is slower than the camera."""

import collections
import fractions
import threading
import time
from collections.abc import Iterator

from qm_vae.deidentify.video import Frame, VideoError, reader

_TICKS = 90_000  # a second
_QUEUE = 8  # frames that wait at most


class Reader:
  """A camera or network stream, read by a thread of its own; of frames that nobody takes in time the oldest is dropped.

  The attributes are those of reader.Reader, and: dropped (frames so far), broken (why the stream ended by itself, '' if
  it did not). Sound is not recorded. Times are those of arrival.
  """

  copied, left_out, duration, expected = (), ["sound of live pictures"], None, None
  damaged_packets, exact = 0, False
  positions, loops = frozenset(), None

  def __init__(self, address: str, *, seconds: float | None = None):
    """Opens a camera's number or an rtsp:// address; reads for `seconds`, or until `stop`.

    Raises:
      VideoError: where it does not answer.
    """
    self._inner = reader.Reader(address, live=True)
    self.name, self.dropped, self.broken = address, 0, ""
    self.width, self.height, self.rate = self._inner.width, self._inner.height, self._inner.rate
    self.depth, self.colours, self.hdr = self._inner.depth, self._inner.colours, self._inner.hdr
    self.notes = self._inner.notes
    self.sample_aspect_ratio = self._inner.sample_aspect_ratio
    self.codec, self.pixel_format, self.metadata = self._inner.codec, self._inner.pixel_format, {}
    self.time_base = fractions.Fraction(1, _TICKS)
    self._seconds, self._ended = seconds, False
    self._stopping = False  # no Event: its lock could be held where a signal arrives
    self._waiting, self._ready = collections.deque(), threading.Condition()
    self._thread = threading.Thread(target=self._read, daemon=True)
    self._thread.start()

  def stop(self) -> None:
    """Ends the reading; what waits is still given out. Signal handlers may call it."""
    self._stopping = True

  def close(self) -> None:
    """Stops, and releases the camera or connection."""
    self.stop()
    self._thread.join(timeout=20)
    if not self._thread.is_alive():
      self._inner.close()

  def __iter__(self) -> Iterator[Frame]:
    number, began, newest = 0, None, -1
    while True:
      with self._ready:
        while not (self._waiting or self._ended or self._stopping):
          self._ready.wait(0.2)
        if not self._waiting:
          return
        arrived, frame = self._waiting.popleft()
      began = arrived if began is None else began
      if self._seconds is not None and arrived - began >= self._seconds:
        self.stop()
        return
      ticks = max(round((arrived - began) * _TICKS), newest + 1)
      newest = ticks
      yield frame._replace(number=number, time=arrived - began, ticks=ticks, duration=0, arrived=arrived)
      number += 1

  def _read(self):
    try:
      for one in self._inner:
        if self._stopping:
          break
        if not isinstance(one, Frame):
          continue
        with self._ready:
          self._waiting.append((time.monotonic(), one))
          if len(self._waiting) > _QUEUE:
            self._waiting.popleft()
            self.dropped += 1
          self._ready.notify()
      else:
        self._broke(f"{self.name} ended")
    except VideoError as error:
      self._broke(str(error))
    finally:
      with self._ready:
        self._ended = True
        self._ready.notify()

  def _broke(self, why):
    if not self._stopping:  # what ends after `stop` ends as it should
      self.broken = why
