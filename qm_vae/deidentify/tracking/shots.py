"""Where one shot ends and the next begins: cuts, flashes and fades."""

import collections
from typing import NamedTuple

import numpy as np

_ROWS, _COLUMNS, _LEVELS = 9, 16, 4
_SAMPLES = 8  # pixels a block's side, at most
_CUT = (0.10, 0.2, 0.3)  # changes (see `change`) from which two neighbours are of two shots: the first, and one other
_SUDDEN = 3.0  # times the usual first change, which a cut exceeds as well: a shaken camera cuts nothing
_UNLIKE = 0.7  # the last change of frames that show nothing of one another; half of that suffices for them
_JUMP = (0.04, 0.05, 10.0)  # the same for what may be a cut: the first change, the others, times the usual
_LEAST_USUAL = 0.002
_USUAL = 12  # frames
_ALIKE = (0.08, 0.15)  # first and last change up to which two frames show one scene
_FLASH, _DARKNESS = 12, 24  # frames after which the scene is back, if it is
_PLAIN = (0.03, 0.08)  # spread of a frame's brightness, and distance from black or white, of a fade's end
_STEADY, _AROUND = 0.06, 8  # the first change over so many frames to each side, from which a scene is on the move


class Look(NamedTuple):
  """What a frame looks like, small."""

  blocks: np.ndarray  # float32 [9, 16, 3] in [0, 1], mean colours
  colours: np.ndarray  # float32 [64], shares of the pixels of each colour, four levels a channel


def look(picture: np.ndarray) -> Look:
  """The look of a picture uint8 [H, W, 3]."""
  rows, columns = (
    np.linspace(0, length, count * _SAMPLES, endpoint=False).astype(int)
    for length, count in zip(picture.shape[:2], (_ROWS, _COLUMNS), strict=True)
  )
  few = picture[rows][:, columns]
  blocks = few.reshape(_ROWS, _SAMPLES, _COLUMNS, _SAMPLES, 3).mean((1, 3), dtype=np.float32) / 255
  of_channel = few >> 6
  code = of_channel[..., 0] * (_LEVELS * _LEVELS) + of_channel[..., 1] * _LEVELS + of_channel[..., 2]
  colours = np.bincount(code.ravel(), minlength=_LEVELS**3).astype(np.float32) / code.size
  return Look(blocks, colours)


def change(one: Look, other: Look) -> tuple[float, float, float]:
  """How two frames differ: mean difference of the blocks, of the colours' shares, and 1 - correlation of the blocks."""
  moved = float(np.abs(one.blocks - other.blocks).mean())
  colours = float(np.abs(one.colours - other.colours).sum() / 2)
  return moved, colours, 1 - _correlation(one.blocks.mean(-1), other.blocks.mean(-1))


class Shots:
  """Knows where tracks have to end, and which frames are of one shot.

  A flash ends tracks, too, but the shot goes on after it; so it does after darkness that shows the same scene again.
  """

  def __init__(self):
    self.cuts = 0  # that a shot ended at, so far
    self._looks: dict[int, Look] = {}
    self._usual = collections.deque(maxlen=_USUAL)
    self._pending: list[tuple[int, int, Look]] = []  # cut, frame until which it may be undone, look before it
    self._ends: list[tuple[int, int]] = []  # first frame that is not of the shot before, first that is of the next
    self._lit = None  # (its number, look) of the last frame before darkness
    self._last = None

  def add(self, number: int, seen: Look) -> bool:
    """Takes the next frame; whether tracks end before it."""
    self._looks[number] = seen
    last, self._last = self._last, seen
    if last is None:
      return False
    back = self._undo(number, seen)
    if _is_plain(seen):
      self._lit = (number, last) if self._lit is None and not _is_plain(last) else self._lit
      return False
    if self._lit is not None:
      (begin, before), self._lit = self._lit, None
      self._cut(begin, number, before, _DARKNESS)
      return True
    moved, *others = change(last, seen)
    usual = max(float(np.median(self._usual)) if self._usual else 0.0, _LEAST_USUAL)
    self._usual.append(moved)
    sudden = _SUDDEN if others[1] < _UNLIKE else _SUDDEN / 2
    if moved >= max(_CUT[0], sudden * usual) and (others[0] >= _CUT[1] or others[1] >= _CUT[2]):
      if not back:
        self._cut(number, number, last, _FLASH)
      return True
    known = len(self._usual) > _USUAL // 2
    return known and moved >= max(_JUMP[0], _JUMP[2] * usual) and max(others) >= _JUMP[1]

  def reaches(self, found: int, frame: int) -> bool:
    """Whether a face that was found in one frame may be in the other: no shot ends between them.

    The darkness between two shots is of both.
    """
    return not any(found < end <= frame or (frame < begin and end <= found) for begin, end in self._ends)

  def begins(self, number: int) -> bool:
    """Whether frame `number` is the first of a shot after another one."""
    return any(number == end for _, end in self._ends)

  def steady(self, number: int) -> bool:
    """Whether the picture as a whole changes little around a frame: no dissolve, no fast turn of the camera."""
    known = [n for n in range(number - _AROUND, number + _AROUND + 1) if n in self._looks]
    return not known or change(self._looks[known[0]], self._looks[known[-1]])[0] < _STEADY

  def forget(self, number: int) -> None:
    """Drops what no frame from `number` on needs."""
    for old in [n for n in self._looks if n < number - _AROUND]:
      del self._looks[old]
    self._ends = [one for one in self._ends if one[1] >= number]

  def _cut(self, begin, number, before, undone):
    self.cuts += 1
    self._ends.append((begin, number))
    self._pending.append((number, number + undone, before))

  def _undo(self, number, seen):
    """Takes cuts back after which the scene of before is there again; whether there were some."""
    self._pending = [one for one in self._pending if one[1] >= number]
    returned = [cut for cut, _, before in self._pending if _alike(before, seen)]
    if not returned:
      return False
    undone = {cut for cut, _, _ in self._pending if cut >= min(returned)}
    self._pending = [one for one in self._pending if one[0] not in undone]
    self._ends = [one for one in self._ends if one[1] not in undone]
    self.cuts -= len(undone)
    return True


def _alike(one, other):
  moved, _, unlike = change(one, other)
  return moved < _ALIKE[0] and unlike < _ALIKE[1]


def _is_plain(seen):
  grey = seen.blocks.mean(-1)
  mean = float(grey.mean())
  return float(grey.std()) < _PLAIN[0] and min(mean, 1 - mean) < _PLAIN[1]


def _correlation(one, other):
  one, other = one - one.mean(), other - other.mean()
  length = float(np.sqrt((one * one).sum() * (other * other).sum()))
  return float((one * other).sum()) / length if length > 1e-3 else 0.0
