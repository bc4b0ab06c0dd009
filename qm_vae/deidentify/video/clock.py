"""Times that go forward, of files whose clocks restart, are missing, or go back and forth."""

import collections
import heapq
from collections.abc import Iterable, Iterator

_BACK = 0.1  # seconds by which a clock may fall behind
_AHEAD = 10.0  # seconds by which a clock that may jump is believed to have waited; both as FFmpeg's program has it


class Epochs:
  """The clocks of all streams as one that goes on where they restart, as in streams that were joined."""

  def __init__(self, jumps: bool):
    """`jumps`: whether the container's clock may also jump ahead by its nature."""
    self._jumps, self._shifts = jumps, [0.0]
    self._epoch: dict[int, int] = {}
    self._next: dict[int, float] = {}
    self._newest: dict[int, float] = {}

  @property
  def restarts(self) -> int:
    """How often the clock restarted so far."""
    return len(self._shifts) - 1

  def mend(self, packet) -> bool:
    """Sets a packet's times; False for one of sound or words that now falls onto what came before the restart."""
    base, index = float(packet.time_base or 0), packet.stream.index
    epoch = self._epoch.setdefault(index, self.restarts)
    begins = packet.dts
    if begins is not None and (after := self._next.get(index)) is not None:
      now = begins * base + self._shifts[epoch]
      if now < after - _BACK or (self._jumps and now > after + _AHEAD):
        epoch = self._epoch[index] = epoch + 1
        if epoch == len(self._shifts):
          self._shifts.append(after - begins * base)
        self._newest.pop(index)
    shift = self._shifts[epoch]
    if epoch:
      ticks = round(shift / base)
      packet.pts = None if packet.pts is None else packet.pts + ticks
      packet.dts = None if packet.dts is None else packet.dts + ticks
    if begins is None:
      return True
    now = begins * base + shift
    length = float(packet.duration or 0) * base or max(now - self._newest.get(index, now), 0.0)
    if epoch and packet.stream.type != "video" and now < self._next.get(index, now) - length / 2 - base:
      return False
    self._newest[index] = now
    self._next[index] = max(self._next.get(index, now), now + length)
    return True


def in_order(items: Iterable, usual: int, depth: int) -> Iterator:
  """Pictures and packets in their order, every picture as (picture, ticks) with ticks that go forward.

  Times that are out of order are sorted, so that each picture has the time of its place; those that are missing follow
  from the neighbours' durations.

  Args:
    items: frames, of which `pts` and `duration` are asked, and packets, which pass through as they are.
    usual: duration of a frame that has none, in ticks.
    depth: frames by which times may be out of order; so many are kept.
  """
  waiting, times = collections.deque(), []
  undated, newest, last = [], None, None  # durations of first frames without time; last time given; last one known
  pictures = 0
  for item in items:
    waiting.append(item)
    if _is_picture(item):
      pictures += 1
      length = int(item.duration or 0) or usual
      if item.pts is not None and undated:
        for back in reversed(undated):
          heapq.heappush(times, item.pts - back)
        undated = []
      if item.pts is not None or last is not None:
        at = last[0] + last[1] if item.pts is None else item.pts
        heapq.heappush(times, at)
        last = at, length
      else:
        undated = [back + length for back in undated] + [length]
    while pictures > depth:
      times, undated, last = _dated(times, undated, last)
      newest = yield from _first(waiting, times, newest)
      pictures -= 1
  times, undated, last = _dated(times, undated, last)
  while pictures:
    newest = yield from _first(waiting, times, newest)
    pictures -= 1
  yield from waiting


def _dated(times, undated, last):
  """First frames without any time begin at 0."""
  if undated:
    total = undated[0]
    times = sorted([*times, *(total - back for back in undated)])
    last = total - undated[-1], undated[-1]
  return times, [], last


def _first(waiting, times, newest):
  """Yields up to the first picture that waits; returns its ticks."""
  while True:
    item = waiting.popleft()
    if _is_picture(item):
      at = heapq.heappop(times)
      at = at if newest is None else max(at, newest + 1)  # a muxer refuses what does not go forward
      yield item, at
      return at
    yield item


def _is_picture(item):
  return hasattr(item, "shown")
