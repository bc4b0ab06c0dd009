"""Video files, network streams and cameras by PyAV."""

import fractions
import pathlib
import re
from collections.abc import Iterator

import av
import av.logging
import numpy as np

from qm_vae.deidentify.video import Frame, VideoError

_PICTURES = ("image2", "png_pipe", "jpeg_pipe", "bmp_pipe", "webp_pipe", "tiff_pipe", "gif_pipe")
_COPIED = ("audio", "subtitle")
_CLOCK = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
_OPEN_SECONDS, _READ_SECONDS = 15.0, 15.0
_LIVE = {
  "rtsp": {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"},
  "v4l2": {"fflags": "nobuffer", "flags": "low_delay"},
}


class Reader:
  """One video, opened. Iterate once: `Frame`s and copied `av.Packet`s come in the file's order.

  Attributes: width, height (pixels, upright), rate (mean frames per second, a fraction), time_base, expected (frames,
  an estimate, or None; `exact` where the file states it), duration (seconds or None), rotation (degrees),
  sample_aspect_ratio (width of an upright pixel by its height, a fraction; 1 where nothing is said), depth (bits a
  sample), codec, colours (the video's tags), copied (audio and subtitle streams), left_out (which streams are
  dropped), damaged_packets (so far).
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
    self.damaged_packets = 0
    self._container = _open(self.name, live)
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
      raise VideoError(
        f"{self.name} cannot be decoded: its video is of the codec {self._unknown()}; convert it first, to H.264 for "
        "instance"
      )
    self.stream.thread_type = "SLICE" if self._live else "AUTO"
    self.copied = tuple(s for s in self._container.streams if s.type in _COPIED)
    self.left_out = [
      f"stream {s.index}: {s.type}, never copied"
      for s in self._container.streams
      if s is not self.stream and s not in self.copied
    ]
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
    self.sample_aspect_ratio = 1 / aspect if round(self.rotation / 90) % 2 else aspect

  def _unknown(self):
    """How FFmpeg calls the codec of a stream that it cannot decode."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # the description goes through the log
    try:
      description = self._container.dumps_format()
    finally:
      av.logging.set_level(level)
    match = re.search(rf"Stream #\d+:{self.stream.index}\b.*?Video: ([^,\n]+)", description)
    return match[1] if match else "unknown"

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
    offset = self._offset()
    number, newest = 0, None
    for packet in self._packets():
      if packet.stream is not self.stream:
        shifted = self._shift(packet, offset)
        if shifted is not None:
          yield shifted
        continue
      for picture in self._pictures(packet):
        at = picture.pts if picture.pts is not None else (newest or 0) + 1
        time = float(at * self.time_base) - offset
        if time < -1e-6 and self._start:
          continue
        if self._end is not None and time >= self._end - self._start - 1e-6:
          return
        ticks = at - round(offset / self.time_base)
        if newest is not None and at <= newest:  # a muxer refuses what does not go forward
          at = newest + 1
          ticks = at - round(offset / self.time_base)
        newest = at
        yield self._frame(number, picture, time, ticks)
        number += 1

  def _offset(self):
    """Seconds of the file's clock at which what is read begins."""
    begins = max((self._container.start_time or 0) / av.time_base, 0.0)
    if self._start:
      self._container.seek(int((begins + self._start) * av.time_base), backward=True)
    return begins + self._start

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
    try:
      return packet.decode()
    except av.error.EOFError:
      return []
    except av.error.FFmpegError:
      self.damaged_packets += 1
      return []

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
    if number == 0:
      self.rotation = getattr(picture, "rotation", 0)
      self.pixel_format = picture.format.name
      self.depth = max((c.bits for c in picture.format.components), default=8)
      tags = ("colorspace", "color_range", "color_primaries", "color_trc")
      self.colours = {tag: int(getattr(picture, tag)) for tag in tags if hasattr(picture, tag)}
      self._stored = picture.width, picture.height
    turns = round(self.rotation / 90) % 4

    def pixels():
      whole = picture
      if (picture.width, picture.height) != self._stored:  # some streams change their size as they go
        whole = picture.reformat(width=self._stored[0], height=self._stored[1])
      rgb = whole.to_ndarray(format="rgb24")
      return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    return Frame(number, time, ticks, int(picture.duration or 0), bool(picture.is_corrupt), pixels)


def _is_cover(stream):
  return "attached_pic" in str(stream.disposition).lower()


def _open(name, live):
  options, form, place = {}, None, name
  if name.lower().startswith("rtsp"):
    options = _LIVE["rtsp"]
  elif live:
    form, place, options = "v4l2", f"/dev/video{name}", _LIVE["v4l2"]
    if not pathlib.Path(place).exists():
      raise VideoError(f"there is no camera {name}: {place} does not exist")
  try:
    timeout = (_OPEN_SECONDS, _READ_SECONDS) if live else None
    return av.open(place, format=form, options=options, timeout=timeout)
  except (av.error.FFmpegError, OSError) as error:
    raise VideoError(f"{name} cannot be opened: {_reason(name, live, error)}") from None


def _reason(name, live, error):
  if not live and pathlib.Path(name).exists() and not pathlib.Path(name).stat().st_size:
    return "the file is empty"
  return getattr(error, "strerror", None) or str(error)
