"""Video files, network streams and cameras by PyAV."""

import fractions
import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np

from qm_vae.deidentify.video import Frame, VideoError, clock, opening, positions, stored
from qm_vae.deidentify.video.damage import Damage

_PICTURES = ("image2", "png_pipe", "jpeg_pipe", "bmp_pipe", "webp_pipe", "tiff_pipe", "gif_pipe")
_COPIED = ("audio", "subtitle")
_CLOCK = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
_REORDERED = (2, 16)  # frames by which times may be out of order, at least and at most (the deepest of H.264)
_REORDER_BYTES = 2**26


class Reader:
  """One video, opened. Iterate once: `Frame`s and copied `av.Packet`s come in the file's order.

  Attributes: width, height (pixels, upright), rate (mean frames per second, a fraction), time_base, expected (frames,
  an estimate, or None; `exact` where the file states it), duration (seconds or None), sample_aspect_ratio (width of an
  upright pixel by its height, a fraction; 1 where nothing is said), depth (bits a sample), codec, colours (the video's
  tags), hdr (see stored.Stored), loops (of a GIF: as its NETSCAPE block says, -1 without one), copied (audio and
  subtitle streams), positions (indices of those that say where the camera was), left_out (what is dropped), notes (what
  else differs from the original, so far), damaged_packets (so far).
  """

  def __init__(self, path: str, *, start: float = 0.0, end: float | None = None, live: bool = False):
    """Opens a file, an rtsp:// address, or a camera given as its number.

    Args:
      path: of a file; a URL; or the number of a camera ('0' is /dev/video0 on Linux).
      start: seconds; what is shown earlier is not read.
      end: seconds; nor is what is shown later.
      live: no seeking, and a deadline for every read.

    Raises:
      VideoError: for what cannot be opened, or shows no moving picture.
    """
    self.name, self._start, self._end, self._live = str(path), start, end, live
    self.damaged_packets, self.notes = 0, []
    self._damage = Damage()
    self._container = opening.open_container(self.name, live)
    try:
      self._look()
    except BaseException:
      self._container.close()
      raise

  def _look(self):
    if self._container.format.name in _PICTURES or self._container.format.name.endswith("_pipe"):
      raise VideoError(
        f"{self.name} is a still picture ({self._container.format.name}), not a video; give it its own suffix"
      )
    if not self._container.streams.video:
      raise VideoError(f"{self.name} holds no video")
    self.stream = next((s for s in self._container.streams.video if not _is_cover(s)), None)
    if self.stream is None:
      raise VideoError(f"{self.name} holds no video but a cover picture")
    if self.stream.codec_context is None:
      codec = opening.codec_of(self._container, self.stream.index)
      raise VideoError(
        f"{self.name} cannot be decoded: its video is of the codec {codec}; convert it first, to H.264 for instance"
      )
    self.stream.thread_type = "SLICE" if self._live else "AUTO"
    self.stream.codec_context.copy_opaque = True
    if self.stream.codec_context.name == "hevc":  # else it leaves frames out without a word where references are lost
      self.stream.codec_context.options = {"err_detect": "explode"}
    self.copied = tuple(s for s in self._container.streams if s.type in _COPIED)
    self.left_out = [
      f"stream {s.index}: {s.type}, never copied"
      for s in self._container.streams
      if s is not self.stream and s not in self.copied
    ]
    self.left_out += [f"{count} chapters" for count in (len(self._container.chapters()),) if count]
    self.positions = set() if self._live else positions.tracks(self._container, opening.place_of(self.name))
    self.loops = opening.gif_loops(self.name) if self._container.format.name == "gif" else None
    self.time_base = self.stream.time_base
    self.codec = self.stream.codec_context.name
    self.rate = fractions.Fraction(self.stream.average_rate or self.stream.guessed_rate or 25)
    self.duration = None if self._live else self._length()
    self.exact = bool(self.stream.frames) and not self._live
    self.expected = self.stream.frames or (round(self.duration * self.rate) if self.duration else None)
    if self._start or self._end is not None:
      self.exact = False
      until = min(self._end or np.inf, self.duration or np.inf)
      self.expected = max(round((until - self._start) * self.rate), 0) if np.isfinite(until) else None
    self._frames = self._decode()
    self._first = next(self._frames, None)
    if self._first is None:
      raise VideoError(f"{self.name} shows no frame that can be decoded{self._span()}")
    picture = next(one for one in self._waiting if isinstance(one, Frame))
    self.height, self.width = picture.pixels().shape[:2]
    aspect = fractions.Fraction(self.stream.sample_aspect_ratio or 1)
    self.sample_aspect_ratio = 1 / aspect if self._stored.turn.transposed else aspect

  def _length(self):
    """Seconds of the pictures as the file states them; of the whole file where it says nothing of them alone."""
    if self.stream.duration:
      return float(self.stream.duration * self.time_base)
    if match := _CLOCK.match(self.stream.metadata.get("DURATION", "")):
      return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    return self._container.duration / av.time_base if self._container.duration else None

  def _span(self):
    return "" if not self._start and self._end is None else f" between {self._start} s and {self._end} s"

  @property
  def metadata(self) -> dict[str, str]:
    """The file's own words about itself; they may tell place, time and names."""
    return dict(self._container.metadata)

  def __iter__(self) -> Iterator:
    yield from self._waiting
    self._waiting = []
    yield from self._frames

  def close(self) -> None:
    """Releases the file."""
    self._container.close()

  def _decode(self):
    """Frames and packets; those before the first frame are kept in `_waiting`, which the first `next` fills."""
    self._waiting, waiting = [], True
    for one in self._everything():
      if not waiting:
        yield one
        continue
      self._waiting.append(one)
      if isinstance(one, Frame):
        waiting = False
        yield one.number

  def _everything(self):
    begins = max((self._container.start_time or 0) / av.time_base, 0.0)
    if self._start:
      self._container.seek(int((begins + self._start) * av.time_base), backward=True)
    number, offset, early = 0, begins + self._start if self._start else None, []
    for one in self._timed():
      if offset is None:  # a file may begin before its clock's zero
        early.append(one)
        if isinstance(one, av.Packet):
          continue
        offset = min(begins, float(one[1] * self.time_base))
      for each in early or [one]:
        if isinstance(each, av.Packet):
          if (shifted := self._shift(each, offset)) is not None:
            yield shifted
          continue
        picture, at = each
        time = float(at * self.time_base) - offset
        if time < -1e-6 and self._start:
          continue
        if self._end is not None and time >= self._end - self._start - 1e-6:
          return
        yield self._frame(number, picture, time, at - round(offset / self.time_base))
        number += 1
      early = []
    if self._epochs.restarts:
      self.notes.append(f"its clock restarts {self._epochs.restarts} times; what follows was put after what was before")

  def _timed(self):
    """Packets of the other streams, and (picture, ticks)."""
    size = self.stream.codec_context.width * self.stream.codec_context.height * 2
    least, most = _REORDERED
    depth = 0 if self._live else max(least, min(most, _REORDER_BYTES // max(size, 1)))
    usual = max(round(1 / self.rate / self.time_base), 1)
    return clock.in_order(self._decoded(), usual, depth)

  def _decoded(self):
    self._epochs = clock.Epochs(bool(self._container.format.flags & av.format.Flags.ts_discont.value))
    overlapped: dict[
      int, av.Packet
    ] = {}  # by stream of sound: the last packet that an edit list leaves out at its start
    begun = set()
    for packet in self._packets():
      if packet.is_discard and self.stream is packet.stream and self.exact:
        self.expected -= 1  # an edit list leaves it out
      kept = self._live or self._epochs.mend(packet)
      if packet.stream is self.stream:
        yield from self._pictures(packet)
      elif not kept:
        continue
      elif packet.is_discard:
        overlapped[packet.stream.index] = packet
      else:
        if packet.stream.index not in begun and packet.stream.type == "audio" and packet.stream.index in overlapped:
          yield overlapped[packet.stream.index]  # a decoder needs it for the next one's beginning
        begun.add(packet.stream.index)
        yield packet

  def _packets(self):
    streams = [self.stream, *self.copied]
    packets = self._container.demux(streams)
    while True:
      try:
        packet = next(packets)
      except StopIteration:
        return
      except av.error.EOFError:
        return
      except av.error.FFmpegError as error:
        if self._live or isinstance(error, av.error.ExitError):
          raise VideoError(f"{self.name} stopped sending: {error}") from None
        self.damaged_packets += 1
        return
      yield packet

  def _pictures(self, packet):
    if packet.size:
      self._damage.feed(packet)
    try:
      pictures = packet.decode()
    except av.error.EOFError:
      return []
    except av.error.FFmpegError:
      self.damaged_packets += 1
      self._damage.struck()
      return []
    return [_Picture(picture, self._damage.shows(picture)) for picture in pictures]

  def _shift(self, packet, offset):
    if packet.dts is None and packet.pts is None:
      return None
    base = packet.time_base
    ticks = round(offset / base)
    begins = packet.pts if packet.pts is not None else packet.dts
    if self._start and begins < ticks:
      return None
    if self._end is not None and float((begins - ticks) * base) >= self._end - self._start:
      return None
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks
    return packet

  def _frame(self, number, picture, time, ticks):
    shown = picture.shown
    if number == 0:
      self._stored = stored.describe(shown)
      self.pixel_format, self.depth, self.hdr = self._stored.pixel_format, self._stored.depth, self._stored.hdr
      self.colours = self._stored.colours
      self.notes += self._stored.notes
      self._size = shown.width, shown.height
    elif (shown.width, shown.height) != self._size:
      self._note(f"its size changes: all frames are scaled to the first one's {self._size[0]} x {self._size[1]}")
    if shown.interlaced_frame:
      self._note(stored.INTERLACED)

    def pixels(form="rgb24"):
      same = (shown.width, shown.height) == self._size
      whole = shown if same else shown.reformat(width=self._size[0], height=self._size[1])
      return self._stored.turn(whole.to_ndarray(format=form))

    deep = functools.partial(pixels, "rgb48le") if self._stored.depth > 8 else None
    return Frame(number, time, ticks, int(shown.duration or 0), picture.damaged, pixels, deep=deep)

  def _note(self, text):
    if text not in self.notes:
      self.notes.append(text)


class _Picture(NamedTuple):
  """A decoded frame."""

  shown: av.VideoFrame
  damaged: bool

  @property
  def pts(self):
    """Ticks at which it is shown; None where nobody knows."""
    return self.shown.pts

  @property
  def duration(self):
    """Ticks; 0 where nobody knows."""
    return self.shown.duration


def _is_cover(stream):
  return "attached_pic" in str(stream.disposition).lower()
