"""Frames of videos and pictures as small JPEG files, made when they are asked for."""

import collections
import pathlib
import threading

import numpy as np

from qm_vae.deidentify.video import Frame
from qm_vae.errors import InputError
from qm_vae.faces import cropping
from qm_vae.io import images

SIDES = (160, 480, 960, 1920)
"""Pixels of the longer side that may be asked for."""

_KEPT = 32 * 2**20  # bytes of JPEG
_AHEAD = 48  # frames that are decoded and passed over before a new search in the file is cheaper
_BEHIND = 8  # frames before the one asked for that are kept, for steps back


class Frames:
  """The frames of one file; at most one decoder is open, and one thread at a time uses it."""

  def __init__(self, path: pathlib.Path, times: np.ndarray, *, moving: bool, begins: float = 0.0):
    """Opens nothing yet.

    Args:
      path: of a picture or video.
      times: float64 [N], seconds of the frames after `begins`, ascending.
      moving: whether it is a video.
      begins: seconds of the file at which frame 0 is.
    """
    self._path, self._times, self._moving = path, times + begins, moving
    self._lock = threading.Lock()
    self._made: collections.OrderedDict[tuple[int, int], bytes] = collections.OrderedDict()
    self._bytes = 0
    self._reader, self._coming, self._next, self._start = None, iter(()), -1, 0.0

  def jpeg(self, number: int, side: int) -> bytes:
    """Frame `number` with a longer side of at most `side` pixels (one of SIDES).

    Raises:
      IndexError: for a frame or a side that there is not.
      ValueError, OSError: where the file cannot be read.
    """
    if side not in SIDES or not 0 <= number < len(self._times):
      raise IndexError(f"frame {number} of {len(self._times)} with {side} pixels; sides are {SIDES}")
    with self._lock:
      if (number, side) not in self._made:
        self._make(number, side)
      self._made.move_to_end((number, side))
      return self._made[number, side]

  def close(self) -> None:
    """Closes the decoder; the next frame opens it again."""
    with self._lock:
      self._close()

  def _close(self):
    if self._reader is not None:
      self._reader.close()
    self._reader, self._coming, self._next = None, iter(()), -1

  def _keep(self, number, side, picture):
    made = images.to_jpeg(cropping.shrink(picture, side))
    self._bytes += len(made) - len(self._made.pop((number, side), b""))
    self._made[number, side] = made
    while self._bytes > _KEPT and len(self._made) > 1:
      self._bytes -= len(self._made.popitem(last=False)[1])

  def _make(self, number, side):
    if not self._moving:
      self._keep(number, side, images.read_image(self._path))
      return
    if not self._next <= number <= self._next + _AHEAD or self._reader is None:
      self._seek(max(number - _BEHIND, 0))
    for at, frame in self._coming:
      self._next = at + 1
      if number - _BEHIND <= at <= number and (at == number or side > SIDES[0]):
        self._keep(at, side, frame.pixels())
      if at >= number:
        break
    if (number, side) not in self._made:
      self._close()
      raise InputError(f"{self._path} has no frame {number}, {self._times[number]:.3f} s; it was changed since")

  def _seek(self, number):
    """Opens the file so that frame `number` comes next."""
    from qm_vae.deidentify.video import reader  # PyAV is loaded for videos alone

    self._close()
    # Half a frame early: times in OUT.json are rounded.
    self._start = float(self._times[number]) - self._half() if number else float(self._times[0])
    self._start = max(self._start, 0.0)
    self._reader = reader.Reader(str(self._path), start=self._start)
    self._coming = self._numbered(self._reader)

  def _half(self):
    return float(np.median(np.diff(self._times[:100]))) / 2 if len(self._times) > 1 else 0.0

  def _numbered(self, source):
    for one in source:
      if isinstance(one, Frame):
        time = self._start + one.time
        after = int(np.searchsorted(self._times, time))
        near = [i for i in (after - 1, after) if 0 <= i < len(self._times)]
        yield min(near, key=lambda i: abs(self._times[i] - time)), one
