"""The moments of a file that a person should look at, the most doubtful first."""

import itertools
from typing import NamedTuple

import numpy as np

from qm_vae.deidentify.record import Record

WHY = {
  "failed": "Could not be protected",
  "blanked": "The whole frame is black",
  "empty": "No face was found",
  "lost": "Lost inside the picture, and held where it was last",
  "weak": "Weakly found",
  "brief": "Found in one or two frames only",
  "held": "Held before its first or after its last finding",
  "border": "Came in at the border",
  "cut": "Cut to another shot",
  "left": "Left visible",
  "found": "Found",
}
"""Reasons in the order in which they are looked at."""

_GAP = 12  # frames: doubts of one kind about one track that are closer are one moment
_BRIEF = 2  # findings
_STRETCH = 25  # frames without any face that are a moment of their own
_FEW = 0.25  # share of a side from the border within which a new face came in there


class Moment(NamedTuple):
  """Some frames and why they are doubtful."""

  why: str  # a key of WHY
  track: int  # 0: of no track
  first: int  # frame
  last: int  # frame, included
  frame: int  # the one to show


def of_picture(faces: list[dict], failures: list[str], threshold: float) -> list[Moment]:
  """The one moment of a picture, of the most doubtful kind there is.

  Args:
    faces: "box", "score", "hidden" of each.
    failures: why it could not be protected.
    threshold: score from which a face is believed.
  """
  if failures:
    return [Moment("failed", 0, 0, 0, 0)]
  if not faces:
    return [Moment("empty", 0, 0, 0, 0)]
  weak = [i + 1 for i, face in enumerate(faces) if face["score"] < threshold and face["hidden"]]
  left = [i + 1 for i, face in enumerate(faces) if not face["hidden"]]
  return [Moment("weak", weak[0], 0, 0, 0) if weak else Moment("left", left[0], 0, 0, 0) if left else _FOUND]


_FOUND = Moment("found", 0, 0, 0, 0)


def of_video(record: Record) -> list[Moment]:
  """All moments of a video, ordered by WHY, then by time."""
  made = [*_of_frames(record)]
  frames = np.repeat(np.arange(len(record)), np.diff(record.starts))
  threshold = float((record.head.get("detector") or {}).get("threshold") or 0.0)
  size = record.head["source"]["width"], record.head["source"]["height"]
  order = np.argsort(record.tracks, kind="stable")
  tracks, begins = np.unique(record.tracks[order], return_index=True)
  for track, rows in zip(tracks, np.split(order, begins[1:]), strict=True):
    if len(rows) and (record.ways[record.how[rows[0]]]) != "added":
      made += _of_track(record, int(track), rows, frames[rows], threshold, size)
  order = list(WHY)
  return sorted(made, key=lambda moment: (order.index(moment.why), moment.first, moment.track))


def _of_track(record, track, rows, frames, threshold, size):
  """Of one track, whose faces are `rows` of the record's arrays, in `frames`."""
  how = np.array([record.ways[i] for i in record.how[rows]])
  found, lost, hidden = how == "found", record.lost[rows], record.hidden[rows]
  doubts = {
    "lost": lost & hidden,
    "held": (how == "held") & ~lost & hidden,
    "weak": found & (record.scores[rows] < threshold) & hidden,
    "left": ~hidden,  # one doubt is enough: whether it may be seen
  }
  for why, chosen in doubts.items():
    at = frames[chosen]
    yield from (Moment(why, track, first, last, _middle(at, first, last)) for first, last in _runs(at))
  if not hidden.any():
    return
  if 0 < found.sum() <= _BRIEF:
    yield Moment("brief", track, int(frames[0]), int(frames[-1]), int(frames[found][0]))
  if found.any() and frames[found][0] > 0:
    x, y, width, height = record.boxes[rows[found][0]]
    near = _FEW * max(width, height)
    if x < near or y < near or x + width > size[0] - near or y + height > size[1] - near:
      first = int(frames[found][0])
      yield Moment("border", track, first, first, first)


def _of_frames(record):
  """Of whole frames: black ones, cuts, and stretches in which nothing was found."""
  blanked = [n for n, note in record.notes.items() if note.get("blanked")]
  yield from (Moment("blanked", 0, first, last, first) for first, last in _runs(np.array(blanked, int)))
  for n, note in record.notes.items():
    if note.get("cut"):
      yield Moment("cut", 0, n, n, n)
  empty = np.flatnonzero(np.diff(record.starts) == 0)
  for first, last in _runs(empty, gap=1):
    if last - first + 1 >= min(_STRETCH, len(record)):
      yield Moment("empty", 0, first, last, (first + last) // 2)


def _middle(frames, first, last):
  """The one of `frames` that is nearest to the middle of a run: a run has gaps, in which nothing is doubtful."""
  return int(frames[np.abs(frames - (first + last) / 2).argmin()])


def _runs(frames, gap=_GAP):
  """(first, last) of frames in ascending order that are at most `gap` apart."""
  if not len(frames):
    return []
  cuts = np.flatnonzero(np.diff(frames) > gap) + 1
  return [(int(part[0]), int(part[-1])) for part in np.split(frames, cuts)]


def segments(record: Record) -> list[dict]:
  """Every track with its runs of one kind: {"track", "parts": [[first, last, how], ...]}, 'lost' for held and lost.

  Args:
    record: of a video; what a person drew then is left out.
  """
  frames = np.repeat(np.arange(len(record)), np.diff(record.starts))
  order = np.argsort(record.tracks, kind="stable")
  made = []
  for track, rows in itertools.groupby(order, key=lambda i: record.tracks[i]):
    rows = np.array(list(rows))
    kinds = ["lost" if record.lost[i] else record.ways[record.how[i]] for i in rows]
    if kinds[0] == "added":
      continue
    parts = []
    for n, kind in zip(frames[rows], kinds, strict=True):
      if parts and parts[-1][2] == kind and parts[-1][1] == n - 1:
        parts[-1][1] = int(n)
      else:
        parts.append([int(n), int(n), kind])
    made.append({"track": int(track), "parts": parts})
  return made
