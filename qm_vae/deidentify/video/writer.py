"""Video files by PyAV: new pictures, and the sound and subtitles of another file packet for packet."""

import collections
import contextlib
import os
import pathlib

import av
import numpy as np

from qm_vae.deidentify.video import Frame, VideoError, encoding
from qm_vae.deidentify.video.aside import Aside
from qm_vae.deidentify.video.codecs import CODECS, FORMATS

_TAKEN = {
  "mpegts": {
    *("libx264", "libx265"),
    *("aac", "mp2", "mp2float", "mp3", "mp3float", "ac3", "eac3"),
    "dvbsub",
  }
}
"""What a container takes, by names of encoders and decoders, where FFmpeg itself tells only of its usual ones."""
_EDIT_LISTS = ("mp4", "mov")  # containers that can say that a block of sound is decoded but not played
_KEPT_WORDS = ("language",)
_PICTURES_INSIDE = (b"[graphics]", b"[fonts]")  # parts of a subtitle track's head that hold files


class Writer:
  """One video file, written aside until `close` finds it whole.

  Attributes: frames (written so far), codec, notes (what differs from the original, for the record).
  """

  def __init__(
    self,
    path: str | os.PathLike,
    like,
    *,
    codec: str = "",
    quality: int | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    audio: bool = True,
    subtitles: bool = True,
    keep_metadata: bool = False,
  ):
    """Opens the file.

    Args:
      path: its final name; the suffix chooses the container (FORMATS).
      like: the Reader whose size, shape of pixels, rate, time base, colours, sound and subtitles are taken over.
      codec: a name in CODECS, or an encoder of one of them that this FFmpeg has, such as h264_nvenc; '' for the
        original's where the container takes it, else h264 (vp9 for .webm).
      quality: constant rate factor, smaller is better; None for the codec's usual one.
      bitrate: bits a second, instead.
      preset: the encoder's word for its speed; None for the codec's usual one.
      audio: copy the sound.
      subtitles: copy the subtitles.
      keep_metadata: also copy the file's and streams' words about themselves.

    Raises:
      VideoError: for a suffix, codec or stream that does not go together, with the remedy.
      OSError: where the folder cannot be written.
    """
    path = pathlib.Path(path)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
      raise VideoError(
        f"{path}: no video is written with the suffix {path.suffix!r}; protect it by itself, to {path.stem}.mp4 for "
        f"instance (one of {' '.join(FORMATS)})"
      )
    self.frames, self.notes, self._name = 0, [], str(path)
    self._waiting, self._reached = collections.deque(), 0.0
    self._durations: dict[int, int] = {}  # by ticks: not every encoder hands them on
    self._aside = Aside(path)
    self._out = None
    try:
      loops = {"loop": str(like.loops)} if form == "gif" and like.loops is not None else {}
      self._out = av.open(f"file:{self._aside.path}", "w", format=form, options=loops)
      self._taken = _TAKEN.get(form) or self._out.supported_codecs
      self.codec, self._encoder = self._choose(codec, like.codec)
      self._video = self._add_video(like, form, encoding.Wish(self._encoder, quality, bitrate, preset))
      self._copies = self._add_copies(like, audio, subtitles, keep_metadata)
      if keep_metadata:
        self._out.metadata.update(like.metadata)
      self._out.start_encoding()
    except av.error.FFmpegError as error:
      self.abort()
      why = getattr(error, "strerror", None) or str(error)
      given = f" by the encoder {codec} (is its hardware there?)" if codec not in ("", *CODECS) else ""
      given += f" with --preset={preset}" if preset else ""
      raise VideoError(f"{path} cannot be written{given}: {why}") from None
    except BaseException:
      self.abort()
      raise

  def _choose(self, codec, original):
    """(name in CODECS, encoder)."""
    encoder = ""
    if codec and codec not in CODECS:
      codec, encoder = encoding.of_encoder(codec), codec
    if not codec:
      codec = original if original in CODECS and CODECS[original] in self._taken else ""
    if not codec:
      codec = {"webm": "vp9", "gif": "gif"}.get(self._out.format.name, "h264")
    if CODECS[codec] not in self._taken:
      raise VideoError(
        f"{self._name} cannot hold {codec}; choose another --codec ({', '.join(CODECS)}) or another suffix"
      )
    return codec, encoder or CODECS[codec]

  def _add_video(self, like, form, wish):
    self._plan = encoding.plan(like, self.codec, form, wish)
    self.notes += self._plan.notes
    video = self._out.add_stream(self._encoder, rate=like.rate, options=self._plan.options)
    if self._plan.bitrate:
      video.codec_context.bit_rate = self._plan.bitrate
    even = self.codec != "gif"
    video.width, video.height = ((n + n % 2) if even else n for n in (like.width, like.height))
    if (video.width, video.height) != (like.width, like.height):
      self.notes.append(
        f"{like.width} x {like.height} became {video.width} x {video.height}: the last row or column is repeated, "
        f"since {self.codec} wants even sides"
      )
    if like.sample_aspect_ratio != 1:
      video.codec_context.sample_aspect_ratio = like.sample_aspect_ratio
    video.pix_fmt = self._plan.pixel_format
    video.codec_context.time_base = video.time_base = like.time_base
    if self._plan.tag:
      video.codec_context.codec_tag = self._plan.tag
    for tag, value in self._plan.colours.items():
      setattr(video.codec_context, tag, value)
    return video

  def _add_copies(self, like, audio, subtitles, keep_metadata):
    made = {}
    for stream in like.copied:
      if not {"audio": audio, "subtitle": subtitles}[stream.type]:
        continue
      if stream.index in like.positions and not keep_metadata:
        self.notes.append(
          f"stream {stream.index}: text that says where the camera was: left out; --keep-metadata keeps it"
        )
        continue
      head = bytes((stream.codec_context and stream.codec_context.extradata) or b"").lower()
      if stream.type == "subtitle" and any(part in head for part in _PICTURES_INSIDE):
        self.notes.append(f"stream {stream.index}: subtitles that hold fonts or pictures: left out")
        continue
      name = stream.codec_context.name if stream.codec_context else "unknown"
      if name not in self._taken:
        flag = {"audio": "--no-audio", "subtitle": "--no-subtitles"}[stream.type]
        here, there = (pathlib.Path(path).suffix.lower() for path in (like.name, self._name))
        other = "" if FORMATS.get(here) in (None, FORMATS[there]) else "give it the suffix of the original, or "
        raise VideoError(
          f"{self._name} cannot hold the {stream.type} ({name}) of {like.name}; {other}leave it out with {flag}"
        )
      made[stream.index] = self._out.add_stream_from_template(stream)
      words = {key: value for key, value in stream.metadata.items() if key in _KEPT_WORDS}
      made[stream.index].metadata.update(words)
      made[stream.index].disposition = stream.disposition
    return made

  def write(self, image: np.ndarray, ticks: int, duration: int, original: Frame | None = None) -> None:
    """Appends a picture.

    Args:
      image: uint8 [H, W, 3] RGB.
      ticks: from when on it is shown.
      duration: for how many ticks; 0 where nobody knows.
      original: the frame that it was made of, whose further bits are kept where nothing was hidden; None for none.
    """
    form = "rgb24"
    if original is not None and original.deep is not None and self._plan.depth > 8:
      image, form = encoding.deepen(image, original), "rgb48le"
    down, right = self._video.height - image.shape[0], self._video.width - image.shape[1]
    if down or right:
      image = np.pad(image, ((0, down), (0, right), (0, 0)), mode="edge")
    picture = av.VideoFrame.from_ndarray(image, format=form)
    picture = picture.reformat(format=self._video.pix_fmt, **encoding.conversion(self._plan.colours))
    picture.pts, picture.time_base = ticks, self._video.codec_context.time_base
    if duration:
      self._durations[ticks] = duration
    self._send(picture)
    self.frames += 1
    self._reached = float(ticks * picture.time_base)
    while self._waiting and self._waiting[0][0] <= self._reached:
      self._mux(self._waiting.popleft()[1])

  def copy(self, packet: av.Packet) -> None:
    """Takes over a packet of sound or subtitles; it is kept until the pictures have come so far."""
    stream = self._copies.get(packet.stream.index)
    if stream is None:
      return
    begins = packet.pts if packet.pts is not None else packet.dts
    if begins + (packet.duration or 0) <= 0 and self._out.format.name not in _EDIT_LISTS:
      return
    packet.stream = stream
    self._waiting.append((float(begins * packet.time_base), packet))

  def close(self) -> None:
    """Finishes the file, counts what is in it, and gives it its name.

    Raises:
      VideoError, OSError: where that fails; nothing is left then.
    """
    try:
      self._send(None)
      while self._waiting:
        self._mux(self._waiting.popleft()[1])
      self._out.close()
      self._out = None
      self._check()
      self._aside.publish()
    except av.error.FFmpegError as error:
      self.abort()
      raise _as_os_error(self._name, error) from None
    except BaseException:
      self.abort()
      raise

  def _check(self):
    with av.open(f"file:{self._aside.path}") as again:
      found = sum(packet.size > 0 for packet in again.demux(video=0))
    if found != self.frames:
      raise VideoError(f"{self._name}: {self.frames} frames were written, but {found} arrived; is the disk full?")

  def abort(self) -> None:
    """Closes and removes what was written."""
    if self._out is not None:
      # What is being removed need not be whole.
      with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
        self._out.close()
      self._out = None
    self._aside.drop()

  def _send(self, picture):
    try:
      for packet in self._video.encode(picture):
        packet.duration = self._durations.pop(packet.pts, packet.duration)
        self._mux(packet)
    except av.error.FFmpegError as error:
      raise _as_os_error(self._name, error) from None

  def _mux(self, packet):
    try:
      self._out.mux(packet)
    except av.error.FFmpegError as error:
      raise _as_os_error(self._name, error) from None


def _as_os_error(name: str, error) -> Exception:
  """FFmpeg's errors of the disk are OSErrors already; the others become VideoError."""
  words = getattr(error, "strerror", None) or str(error)
  return VideoError(f"{name} cannot be written: {words}")
