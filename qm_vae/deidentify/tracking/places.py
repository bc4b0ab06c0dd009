"""Where the faces of a frame are: as found, filled between two findings, or held where they were last."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qm_vae.deidentify.tracking.link import Track

FOUND, FILLED, HELD = "found", "filled", "held"
_GROWTH = 0.02  # of a box's sides for every frame away from the next finding
_MOST = 0.5  # limit of that growth
_BORDER = 4  # a face that comes or goes at the frame's border is held for so much shorter


class Place(NamedTuple):
  """One face in one frame."""

  track: int
  box: np.ndarray  # float32 [4]: x, y, width, height, pixels of the frame; it may reach beyond the frame
  score: float  # of the finding; where there is none, of the nearest
  how: str  # found | filled | held
  lost: bool  # held, while the face was not seen to leave or enter at the frame's border


def places(
  tracks: list[Track],
  frame: int,
  looked: set[int],
  hold: int,
  size: tuple[int, int],
  reaches: Callable[[int, int], bool] | None = None,
) -> list[Place]:
  """The faces of `frame`, in the order of their tracks.

  A track's gap between two findings is filled by the line between them, with the larger of the two sizes. Beyond its
  ends the last (or first) box is held for `hold` frames, a quarter of them where it touches the frame's border, and in
  any case up to the nearest frame in which somebody looked, together with where its movement leads. The further from a
  finding, the larger the box. A track that ended where another begins in the same place is not held beside it, nor
  the other before it.

  Args:
    tracks: see link.py; everything up to the window's end is known.
    frame: number of the frame.
    looked: frames in which faces were sought; a face is lost only where somebody looked.
    hold: frames.
    size: (width, height) of the frame, pixels.
    reaches: see Shots.reaches: nobody is held over the next shot. None: there is but one.
  """
  made = []
  followed = {track.follows for track in tracks}
  for track in tracks:
    after = int(np.searchsorted(track.frames, frame))
    if after < len(track.frames) and track.frames[after] == frame:
      made.append(Place(track.number, track.boxes[after], track.scores[after], FOUND, False))
      continue
    if 0 < after < len(track.frames):
      made.append(_between(track, after, frame))
      continue
    forward = after > 0
    end = len(track.frames) - 1 if forward else 0
    if reaches is not None and not reaches(track.frames[end], frame):
      continue
    if track.number in followed if forward else track.follows:
      continue
    away, leaves = abs(frame - track.frames[end]), _at_border(track.boxes[end], size)
    step = 1 if forward else -1
    sought_before = any(i in looked for i in range(track.frames[end] + step, frame, step))
    # Frames that nobody looked at are no sign that the face is gone.
    if sought_before and away > (hold / _BORDER if leaves else hold):
      continue
    box = _grown(_hull(track.boxes[end], _moved(track, forward, frame)), away)
    sought = sought_before or frame in looked
    made.append(Place(track.number, box, track.scores[end], HELD, sought and not leaves))
  return made


def _between(track, after, frame):
  first, last = track.frames[after - 1], track.frames[after]
  share = (frame - first) / (last - first)
  one, other = track.boxes[after - 1], track.boxes[after]
  sides = np.maximum(one[2:], other[2:])
  centre = (1 - share) * (one[:2] + one[2:] / 2) + share * (other[:2] + other[2:] / 2)
  box = _grown(np.concatenate([centre - sides / 2, sides]), min(frame - first, last - frame))
  return Place(track.number, box, min(track.scores[after - 1], track.scores[after]), FILLED, False)


def _moved(track, forward, frame):
  if forward:
    return track.expected(frame)
  backwards = Track(0, [-f for f in track.frames[7::-1]], track.boxes[7::-1], [])
  return backwards.expected(-frame)


def _hull(one, other):
  low = np.minimum(one[:2], other[:2])
  return np.concatenate([low, np.maximum(one[:2] + one[2:], other[:2] + other[2:]) - low])


def _grown(box, frames):
  more = box[2:] * min(_GROWTH * frames, _MOST)
  return np.concatenate([box[:2] - more / 2, box[2:] + more]).astype(np.float32)


def _at_border(box, size):
  """Whether the box, half a side larger, reaches over the frame's border."""
  reach = box[2:].max() / 2
  return bool((box[:2] < reach).any() or (box[:2] + box[2:] > np.array(size) - reach).any())
