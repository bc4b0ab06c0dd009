"""What a person decides about faces: regions added, tracks dropped, kept or hidden, and the method of a track."""

import os
import pathlib
import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from qm_vae.deidentify.tracking.places import Place
from qm_vae.errors import InputError
from qm_vae.io import reading
from qm_vae.options import is_number

ADDED = "added"
"""How a place came about that a person drew."""

FIRST_ADDED = 1_000_001
"""Track number of the first region that a person drew; the second has the next one."""

ADD, DROP, KEEP, HIDE, METHOD = "add", "drop", "keep", "hide", "method"
ACTIONS = (ADD, DROP, KEEP, HIDE, METHOD)
VERSION = 1
_BYTES = 64 * 2**20
_SIGNED = ("by", "at", "note")
_FARTHEST = 10**9  # pixels and frames

_FRAMES = re.compile(r"(\d+)(?:(-)(\d+)?)?$")
_BOX = re.compile(r"(\d+),(\d+),(\d+),(\d+)$")


class Decision(NamedTuple):
  """One decision."""

  action: str  # add: hide a region | drop: no face | keep: leave the face visible | hide: hide it all the same | method
  track: int = 0  # of an earlier pass, or of a picture the number of the face; 0 for `add`
  first: int = 0  # frame
  last: int | None = None  # frame, included; None: the last of all
  boxes: tuple[tuple[float, ...], ...] = ()  # of `add`: (frame, x, y, width, height), pixels, ascending frames
  method: str = ""  # of `add` and `method`: NAME or NAME:OPTION=VALUE,...; '': the job's own
  box: tuple[float, ...] = ()  # of a picture's face: where it was when the decision was made

  def covers(self, frame: int) -> bool:
    """Whether the decision is about `frame`."""
    return self.first <= frame and (self.last is None or frame <= self.last)

  def box_at(self, frame: int) -> np.ndarray:
    """float32 [4]: the region of `add` at `frame`, on the line between the two boxes around it."""
    frames = [row[0] for row in self.boxes]
    sides = np.array([row[1:] for row in self.boxes], float)
    return np.array([np.interp(frame, frames, sides[:, i]) for i in range(4)], np.float32)


class Decisions(NamedTuple):
  """All decisions about one file; of two about the same track and frame the later counts."""

  rows: tuple[Decision, ...] = ()

  def added(self, frame: int) -> list[Place]:
    """The drawn regions of `frame`."""
    drawn = [row for row in self.rows if row.action == ADD]
    return [
      Place(FIRST_ADDED + i, row.box_at(frame), 1.0, ADDED, False) for i, row in enumerate(drawn) if row.covers(frame)
    ]

  def hides(self, track: int, frame: int) -> bool | None:
    """Whether the face of `track` is to be hidden in `frame`; None where nobody decided."""
    if track >= FIRST_ADDED:
      return True
    verdicts = [row for row in self.rows if row.track == track and row.action in (DROP, KEEP, HIDE)]
    return next((row.action == HIDE for row in reversed(verdicts) if row.covers(frame)), None)

  def methods(self) -> dict[int, str]:
    """The method of every track that has another one than the job."""
    chosen = {row.track: row.method for row in self.rows if row.action == METHOD}
    drawn = [row for row in self.rows if row.action == ADD]
    chosen |= {FIRST_ADDED + i: row.method for i, row in enumerate(drawn)}
    return {track: method for track, method in chosen.items() if method}


def parse(adds: Sequence[str], drops: Sequence[str]) -> Decisions:
  """The decisions that --add and --drop name.

  Args:
    adds: each 'FRAMES:X,Y,W,H', or 'FRAMES:X,Y,W,H:X,Y,W,H' for a region that moves on a line; FRAMES is '12', '12-40'
      (both included) or '12-' (to the end); of a picture '0'.
    drops: each 'TRACK' or 'TRACK:FRAMES'.

  Raises:
    ValueError: for other texts, naming what is allowed.
  """
  return Decisions((*(_add(text) for text in adds), *(_drop(text) for text in drops)))


def _add(text):
  frames, *boxes = text.split(":")
  span, found = _span(frames), [_BOX.match(box) for box in boxes]
  if not span or not 1 <= len(found) <= 2 or not all(found):
    raise InputError(
      f"--add={text}: write FRAMES:X,Y,WIDTH,HEIGHT in pixels, FRAMES as 12, 12-40 or 12- (to the end); a second box "
      "after another colon is where the region is in the last frame"
    )
  first, last = span
  if len(found) == 2 and last is None:
    raise InputError(f"--add={text}: a region that moves needs its last frame; write FRAMES as 12-40")
  keys = [first, last][: len(found)]
  return _checked(
    Decision(
      ADD,
      first=first,
      last=last,
      boxes=tuple((key, *map(int, match.groups())) for key, match in zip(keys, found, strict=True) if match),
    ),
    f"--add={text}",
  )


def _drop(text):
  track, _, frames = text.partition(":")
  span = _span(frames) if frames else (0, None)
  if not track.isdecimal() or not span:
    raise InputError(
      f"--drop={text}: write TRACK or TRACK:FRAMES, the number in OUT.json and frames as 12, 12-40 or 12-"
    )
  return _checked(Decision(DROP, int(track), *span), f"--drop={text}")


def _span(text):
  match = _FRAMES.match(text)
  if not match:
    return None
  return int(match[1]), int(match[3]) if match[3] else (None if match[2] else int(match[1]))


def of_json(rows: Any, where: str) -> Decisions:
  """The decisions of a list as `to_json` makes it.

  Raises:
    ValueError: for anything else, naming the row and, with `where`, the place.
  """
  if not isinstance(rows, list):
    raise InputError(f"{where}: decisions are a list, not {type(rows).__name__}")
  return Decisions(tuple(_of_row(row, f"{where}: decision {i + 1}") for i, row in enumerate(rows)))


def _of_row(row, where):
  known = {"action", "track", "frames", "boxes", "method", "box"}
  if not isinstance(row, dict) or set(row) - known or row.get("action") not in ACTIONS:
    raise InputError(
      f"{where} is {reprlib.repr(row)}; it must have an action of {', '.join(ACTIONS)} and no keys but {sorted(known)}"
    )
  frames = row.get("frames") or [0, None]
  boxes, box, method = row.get("boxes", []), row.get("box") or [], row.get("method") or ""
  well = (
    isinstance(frames, list)
    and len(frames) == 2
    and _whole(frames[0])
    and (frames[1] is None or _whole(frames[1]))
    and isinstance(boxes, list)
    and all(isinstance(one, list) and len(one) == 5 and _numbers(one) for one in boxes)
    and isinstance(box, list)
    and (not box or (len(box) == 4 and _numbers(box)))
    and isinstance(method, str)
    and _whole(row.get("track", 0))
  )
  if not well:
    raise InputError(
      f"{where} is {reprlib.repr(row)}; frames are [first, last or null], boxes [[frame, x, y, width, height], ...]"
    )
  made = Decision(
    row["action"], row.get("track", 0), frames[0], frames[1], tuple(map(tuple, boxes)), method, tuple(box)
  )
  return _checked(made, where)


def _checked(row, where):
  if row.last is not None and row.last < row.first:
    raise InputError(f"{where}: the last frame, {row.last}, is before the first, {row.first}")
  if row.action == ADD:
    frames = [box[0] for box in row.boxes]
    if not frames or frames != sorted(set(frames)) or any(box[3] < 1 or box[4] < 1 for box in row.boxes):
      raise InputError(
        f"{where}: a region needs boxes of at least one pixel, in ascending frames; it has {reprlib.repr(row.boxes)}"
      )
  elif not 1 <= row.track < FIRST_ADDED:
    raise InputError(f"{where}: no track has the number {row.track}; OUT.json lists the tracks")
  if row.action == METHOD and (row.first, row.last) != (0, None):
    raise InputError(f"{where}: a method is of a whole track; leave its frames out")
  return row


def _is_text(value):
  return isinstance(value, str)


def _whole(value):
  return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(values):
  return all(is_number(value) and abs(value) < _FARTHEST for value in values)  # NaN is not below either


def to_json(rows: Iterable[Decision]) -> list[dict[str, Any]]:
  """The decisions as JSON has them, without what says nothing."""
  made = []
  for row in rows:
    one: dict[str, Any] = {"action": row.action}
    if row.action != ADD:
      one["track"] = row.track
    if row.action == ADD or (row.first, row.last) != (0, None):
      one["frames"] = [row.first, row.last]
    if row.boxes:
      one["boxes"] = [list(box) for box in row.boxes]
    if row.method or row.action == METHOD:
      one["method"] = row.method
    if row.box:
      one["box"] = list(row.box)
    made.append(one)
  return made


class ReviewFile(NamedTuple):
  """A review file: the decisions about every file of a job."""

  path: pathlib.Path
  record: str  # the job's OUT.json, relative to this file
  entries: dict[str, dict]  # name of the file -> {"file", "sha256", "decisions", "seen"}
  signed: dict | None  # {"by", "at", "note"}: who looked the whole job through, and when

  def decisions(self, name: str) -> Decisions | None:
    """Those about the file called `name`; None where it has no entry."""
    entry = self.entries.get(name)
    return None if entry is None else of_json(entry.get("decisions", []), f"{self.path}: {name}")


def read(path: str | os.PathLike) -> ReviewFile:
  """A review file, OUT.review.json.

  Raises:
    ValueError: for a file that is none, naming what is wrong.
  """
  path = pathlib.Path(path)
  content = reading.read_json(path, most=_BYTES, remedy="python -m qm_vae.review OUT.json writes a review file")
  files = content.get("files")
  if not isinstance(files, list) or content.get("version") != VERSION:
    raise InputError(f"{path} is no review file of version {VERSION}: it must have 'version' and a list 'files'")
  for entry in files:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
      raise InputError(f"{path}: an entry of 'files' has no name, 'file': {reprlib.repr(entry)}")
    seen = entry.get("seen", [])
    if not isinstance(seen, list) or not all(map(_is_text, seen)):
      raise InputError(f"{path}: 'seen' of {entry['file'][:100]} is {reprlib.repr(seen)}; it is a list of texts")
  signed = content.get("signed")
  if signed is not None and not (isinstance(signed, dict) and all(map(_is_text, map(signed.get, _SIGNED)))):
    raise InputError(f"{path}: 'signed' is {reprlib.repr(signed)}; it is null or the texts {', '.join(_SIGNED)}")
  made = ReviewFile(path, str(content.get("record") or ""), {e["file"]: e for e in files}, signed)
  for name in made.entries:
    made.decisions(name)
  return made
