"""Values along a track, averaged over the time around each frame."""

import numpy as np

_REACH = 4.0  # time constants; what is further away would have a weight below 0.02


class Averager:
  """One average for each track: a value counts the less, the further its frame is away in time.

  The weight exp(-|t - s| / tau) of a value at s for the average at t is that of an exponential average that runs
  forward and then backward, so that the average does not lag where later values are known. Where none are, it is the
  exponential average of the past.
  """

  def __init__(self, tau: float):
    """Knows no track yet; `tau` is the time constant, seconds."""
    self._tau = tau
    self._known: dict[int, dict[float, np.ndarray]] = {}

  @property
  def reach(self) -> float:
    """Seconds, before and after a frame, from which values count."""
    return _REACH * self._tau

  def add(self, track: int, time: float, value: np.ndarray) -> None:
    """Takes the value [C] that a track has at `time`, seconds of the video."""
    self._known.setdefault(track, {})[time] = np.asarray(value, np.float64)

  def knows(self, track: int, time: float) -> bool:
    """Whether the track has a value of its own at `time`."""
    return time in self._known.get(track, {})

  def at(self, track: int, time: float) -> np.ndarray:
    """The average [C] of a track that has a value at `time`."""
    known = {at: value for at, value in self._known[track].items() if abs(at - time) <= self.reach}
    weight = np.exp(-np.abs(np.array(list(known)) - time) / self._tau)
    return weight @ np.stack(list(known.values())) / weight.sum()

  def forget(self, time: float) -> None:
    """Drops what no average from `time` on needs."""
    for track, known in list(self._known.items()):
      kept = {at: value for at, value in known.items() if at >= time - self.reach}
      if kept:
        self._known[track] = kept
      else:
        del self._known[track]
