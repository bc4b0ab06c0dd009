"""Raw frames, rgb24, through pipes."""

import fractions
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from qm_vae.deidentify.video import Frame, VideoError


class Reader:
  """Frames of one size from a binary stream; the attributes of reader.Reader that a writer asks for."""

  copied, left_out, notes, depth, colours, codec, duration, expected = (), [], (), 8, {}, "rawvideo", None, None
  positions, hdr, loops = frozenset(), {}, None
  damaged_packets, exact = 0, False
  pixel_format, sample_aspect_ratio = "rgb24", fractions.Fraction(1)

  def __init__(self, stream: BinaryIO, width: int, height: int, rate: fractions.Fraction):
    """Reads `width` x `height` frames, `rate` of them a second, from `stream`."""
    self.name, self._stream = "-", stream
    self.width, self.height, self.rate = width, height, rate
    self.time_base, self.metadata = 1 / rate, {}

  def __iter__(self) -> Iterator[Frame]:
    size, number = self.width * self.height * 3, 0
    while data := self._stream.read(size):
      if len(data) < size:
        raise VideoError(
          f"the pipe ended inside frame {number}: {len(data)} of {size} bytes ({self.width} x {self.height} rgb24)"
        )
      image = np.frombuffer(data, np.uint8).reshape(self.height, self.width, 3)
      yield Frame(number, float(number / self.rate), number, 1, False, image.copy)
      number += 1

  def close(self) -> None:
    """The stream is its owner's."""


class Writer:
  """Frames to a binary stream, as they come. What was written cannot be taken back; it was protected."""

  codec = "rawvideo"

  def __init__(self, stream: BinaryIO):
    self._stream, self.frames, self.notes = stream, 0, []

  def write(self, image: np.ndarray, ticks: int, duration: int, original: Frame | None = None) -> None:
    """Appends a picture uint8 [H, W, 3] RGB; its time and what `original` has beyond 8 bits go lost."""
    del ticks, duration, original
    self._stream.write(np.ascontiguousarray(image).data)
    self._stream.flush()
    self.frames += 1

  def copy(self, packet) -> None:
    """Sound has no place in a pipe of frames."""

  def close(self) -> None:
    """Flushes."""
    self._stream.flush()

  def abort(self) -> None:
    """Nothing to remove."""
