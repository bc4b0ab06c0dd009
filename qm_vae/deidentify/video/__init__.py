"""Moving pictures in and out: files and network streams by PyAV, raw frames by pipes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qm_vae.errors import InputError


class Frame(NamedTuple):
  """One picture of a video. Its pixels are made when asked for: a window of frames stays in the decoder's own form."""

  number: int  # from 0, of those that are read
  time: float  # seconds from the start of what is read
  ticks: int  # the same in units of the video's time base
  duration: int  # in those units; 0 where nobody knows
  damaged: bool  # the decoder says that it is not whole
  pixels: Callable[[], np.ndarray]  # () -> uint8 [H, W, 3] RGB, upright, all of one size
  arrived: float = 0.0  # live pictures: when, by time.monotonic()
  deep: Callable[[], np.ndarray] | None = None  # () -> the same as uint16; None where there are no more than 8 bits


class VideoError(InputError):
  """A video that cannot be read or written; the message names it and the remedy."""
