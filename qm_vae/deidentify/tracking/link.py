"""Links the faces of successive frames into tracks (in the manner of ByteTrack, Zhang et al. 2022)."""

import dataclasses

import numpy as np
from scipy.optimize import linear_sum_assignment

from qm_vae.types import Detections

_NEAR = 0.6  # distance of two centres, in mean sides, from which on a surely found face is another one
_DRIFT = 0.04  # sides by which that distance grows with every frame without a finding
_FAR = 1.2  # its limit
_NEAR_WEAK = 0.4  # the same for weakly found faces, which only prolong what is known
_SIZES = 2.0  # ratio of two sides from which on they are no one face
_MEMORY = 8  # findings over which a track's velocity is taken
_IMPOSSIBLE = 1e6


@dataclasses.dataclass
class Track:
  """One face over time; the lists hold its findings, oldest first."""

  number: int  # from 1, in the order of appearance
  frames: list[int]
  boxes: list[np.ndarray]  # float32 [4]: x, y, width, height
  scores: list[float]
  follows: int = 0  # the ended track whose face this may be: it was in the same place in the look before; 0 for none

  def expected(self, frame: int) -> np.ndarray:
    """The box [4] that the track's movement leads to at `frame`, at most one side away from the last one."""
    last = self.boxes[-1]
    since = max(len(self.frames) - _MEMORY, 0)
    span = self.frames[-1] - self.frames[since]
    if not span:
      return last
    velocity = (_centre(last) - _centre(self.boxes[since])) / span
    side = last[2:].max()
    return np.concatenate([last[:2] + np.clip(velocity * (frame - self.frames[-1]), -side, side), last[2:]])


class Linker:
  """Gives every finding to a track.

  First the surely found faces are matched to the tracks by nearness (one to one, at the least total distance), then the
  weakly found ones to the tracks that are left; a sure one that is left begins a track. A weak one is dropped, unless
  it stands where a track was that a cut has ended: it may be the same face.
  """

  def __init__(self, strong: float, weak: float, max_gap: int):
    """Links over at most `max_gap` frames without a finding; `strong` and `weak` are scores, as in types.Detector."""
    self._strong, self._weak, self._max_gap = strong, weak, max_gap
    self._count = self._ended = 0
    self._before = -1  # the frame of the last look
    self.tracks: list[Track] = []

  def end(self) -> None:
    """Ends all tracks: what comes is another shot."""
    self._ended = self._count

  def add(self, frame: int, found: Detections) -> None:
    """The findings of `frame`; frames come in ascending order, and may be left out."""
    near = [track for track in self.tracks if frame - track.frames[-1] <= self._max_gap + 1]
    alive = [track for track in near if track.number > self._ended]
    strong = np.flatnonzero(found.scores >= self._strong)
    weak = np.flatnonzero((found.scores >= self._weak) & (found.scores < self._strong))
    taken = self._match(frame, alive, found, strong, grow=True)
    left = [track for track in alive if track.frames[-1] != frame]
    taken |= self._match(frame, left, found, weak, grow=False)
    for i in (*strong, *self._again(near, found, weak)):
      if i not in taken:
        self._count += 1
        follows = self._followed(near, found.boxes[[i]]) if i in strong else 0
        self.tracks.append(Track(self._count, [], [], [], follows))
        self._append(self.tracks[-1], frame, found, i)
    self._before = frame

  def _followed(self, tracks, box):
    """The number of the ended track that was found at `box` [1, 4] in the look before; 0 for none."""
    ended = [one for one in tracks if one.number <= self._ended and one.frames[-1] == self._before]
    apart = [_apart(one.boxes[-1], box)[0] for one in ended]
    return ended[int(np.argmin(apart))].number if apart and min(apart) < _NEAR_WEAK else 0

  def _again(self, tracks, found, weak):
    """The weakly found faces that stand where an ended track was last."""
    ended = [track for track in tracks if track.number <= self._ended]
    return [i for i in weak if any(_apart(one.boxes[-1], found.boxes[[i]])[0] < _NEAR_WEAK for one in ended)]

  def forget(self, frame: int) -> None:
    """Drops what no frame from `frame` on needs: findings before each track's last one up to it, and dead tracks."""
    self.tracks = [t for t in self.tracks if frame - t.frames[-1] <= self._max_gap + 1]
    for track in self.tracks:
      known = int(np.searchsorted(track.frames, frame, side="right"))
      keep = max(min(known, len(track.frames)) - _MEMORY, 0)
      if keep:
        del track.frames[:keep], track.boxes[:keep], track.scores[:keep]

  def _match(self, frame, tracks, found, chosen, *, grow):
    """Appends the `chosen` findings to the tracks they fit; the set of those that were taken."""
    if not tracks or not len(chosen):
      return set()
    cost = np.full((len(tracks), len(chosen)), _IMPOSSIBLE)
    for row, track in enumerate(tracks):
      gap = frame - track.frames[-1] - 1
      limit = min(_NEAR + _DRIFT * gap, _FAR) if grow else _NEAR_WEAK
      apart = np.minimum(
        _apart(track.expected(frame), found.boxes[chosen]), _apart(track.boxes[-1], found.boxes[chosen])
      )
      cost[row] = np.where(apart < limit, apart, _IMPOSSIBLE)
    taken = set()
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
      if cost[row, column] < _IMPOSSIBLE:
        self._append(tracks[row], frame, found, chosen[column])
        taken.add(chosen[column])
    return taken

  def _append(self, track, frame, found, i):
    track.frames.append(frame)
    track.boxes.append(np.asarray(found.boxes[i], np.float32))
    track.scores.append(float(found.scores[i]))


def _centre(box):
  return box[:2] + box[2:] / 2


def _apart(box, boxes):
  """[M]: distance of the centres in mean sides; infinite where the sizes are too different."""
  side, sides = box[2:].max(), boxes[:, 2:].max(-1)
  distance = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - _centre(box), axis=-1)
  alike = np.maximum(side / sides, sides / side) < _SIZES
  return np.where(alike, 2 * distance / (side + sides), np.inf)
