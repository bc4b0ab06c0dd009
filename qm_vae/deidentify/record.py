"""OUT.json of a video read back, with the faces of all frames in a few arrays."""

import os
import pathlib
import reprlib
from typing import Any, NamedTuple

import numpy as np

from qm_vae.deidentify import decisions, sidecar_form
from qm_vae.deidentify.tracking.places import FILLED, FOUND, HELD, Place
from qm_vae.errors import InvalidFile
from qm_vae.io import reading
from qm_vae.options import is_number

_FRAMES = '"frames": ['
_WAYS = (FOUND, FILLED, HELD, decisions.ADDED)
_PART = 4096  # faces that are packed together
_FARTHEST = 10**6  # pixels
_LONGEST = 2**24  # characters of a line: one frame, or what is said of all
_REMEDY = "give the OUT.json of a video, as python -m qm_vae.deidentify wrote it, or protect the video again"


class Record(NamedTuple):
  """The record of a video; the faces of frame n are rows starts[n] to starts[n + 1] of the other arrays."""

  head: dict[str, Any]  # everything but the frames
  times: np.ndarray  # float64 [N], seconds
  starts: np.ndarray  # int64 [N + 1]
  tracks: np.ndarray  # int32 [M]
  boxes: np.ndarray  # float32 [M, 4]: x, y, width, height
  scores: np.ndarray  # float32 [M]
  how: np.ndarray  # uint8 [M], position in `ways`
  hidden: np.ndarray  # bool [M]
  lost: np.ndarray  # bool [M]
  ways: tuple[str, ...]  # found, filled, held, added, as they occur
  notes: dict[int, dict]  # of frames that have more than time and faces: {"blanked": why, ...}

  def __len__(self):
    return len(self.times)

  def faces(self, frame: int) -> list[tuple[Place, bool]]:
    """The faces of a frame, and whether each was hidden."""
    rows = range(self.starts[frame], self.starts[frame + 1])
    return [
      (
        Place(int(self.tracks[i]), self.boxes[i], float(self.scores[i]), self.ways[self.how[i]], bool(self.lost[i])),
        bool(self.hidden[i]),
      )
      for i in rows
    ]

  def blanked(self, frame: int) -> str:
    """Why the whole frame was blanked; '' where it was not."""
    return self.notes.get(frame, {}).get("blanked", "")


def read(path: str | os.PathLike) -> Record:
  """The record in a video's OUT.json; its text is never in memory as a whole where it has a frame in every line.

  Raises:
    InvalidFile: for a file that is no such record, or cannot be read.
  """
  path = pathlib.Path(path)
  rows = _Rows(path)
  head = _read(path, rows.add)
  sidecar_form.check_head(path, head)
  return rows.record(head)


def document(path: str | os.PathLike) -> dict[str, Any]:
  """The same file as it stands in JSON, with its "frames", each of the form that `read` asks for.

  Raises:
    InvalidFile: as `read`.
  """
  path, frames = pathlib.Path(path), []

  def add(row):
    _check_frame(path, row, len(frames))
    frames.append(row)

  head = _read(path, add)
  sidecar_form.check_head(path, head)
  return head | {"frames": frames}


def _read(path, add):
  """The head; `add` is called with every frame."""
  kept, within = [], False
  try:
    with path.open(encoding="utf-8") as file:
      while line := file.readline(_LONGEST):
        text = line.strip()
        if within and text.startswith("{"):
          add(reading.parse_json(path, text.removesuffix(","), remedy=_REMEDY))
          continue
        within = text == _FRAMES if not within else False
        kept.append(line)
        if len(line) == _LONGEST:
          raise InvalidFile(path, "has a line that is too long", f"at most {_LONGEST} characters", _REMEDY)
  except OSError as error:
    raise InvalidFile(path, f"cannot be read: {error.strerror}", remedy=_REMEDY) from error
  except UnicodeDecodeError as error:
    raise InvalidFile(path, f"is no UTF-8 text (byte {error.start})", remedy=_REMEDY) from None
  head = reading.parse_json(path, "".join(kept), remedy=_REMEDY)
  frames = head.pop("frames", None) if isinstance(head, dict) else None
  if not isinstance(frames, list):
    raise InvalidFile(path, "is no record of a video: it lists no frames", remedy=_REMEDY)
  for row in frames:  # of a file that was laid out anew
    add(row)
  return head


def _check_frame(path, row, number):
  """Returns for what the frame of that number may be."""
  wrong = "no object"
  if isinstance(row, dict):
    faces, time, blanked = row.get("faces"), row.get("time"), row.get("blanked", "")
    if row.get("frame") != number:
      wrong = f"frame {reprlib.repr(row.get('frame'))}"
    elif not isinstance(faces, list) or not all(map(_is_face, faces)):
      wrong = "a face without track, box, score, how or hidden, or with another value than these have"
    elif not is_number(time) or not 0 <= time < _FARTHEST:
      wrong = f"time {reprlib.repr(time)}"
    elif isinstance(blanked, str):
      return
  raise InvalidFile(path, f"is no record of a video: in place of frame {number} it has {wrong}", remedy=_REMEDY)


def _is_face(face):
  if not isinstance(face, dict):
    return False
  track, score, box = face.get("track"), face.get("score"), face.get("box")
  return (
    is_number(track, (int,))
    and 0 <= track < 2**31
    and is_number(score)
    and 0 <= score <= 1
    and sidecar_form.is_box(box)
    and face.get("how") in _WAYS
    and isinstance(face.get("hidden"), bool)
    and isinstance(face.get("lost", False), bool)
  )


class _Rows:
  """Takes the frames one by one."""

  def __init__(self, path):
    self._path = path
    self._times, self._counts, self._notes, self._ways = [], [], {}, {}
    self._faces = {name: [] for name in ("tracks", "boxes", "scores", "how", "hidden", "lost")}
    self._parts = []

  def add(self, row):
    _check_frame(self._path, row, len(self._times))
    faces, lists = row["faces"], self._faces
    for face in faces:
      lists["tracks"].append(face["track"])
      lists["boxes"].append(face["box"])
      lists["scores"].append(face["score"])
      lists["how"].append(self._ways.setdefault(face["how"], len(self._ways)))
      lists["hidden"].append(face["hidden"])
      lists["lost"].append(face.get("lost", False))
    more = {key: value for key, value in row.items() if key not in ("frame", "time", "faces")}
    if more:
      self._notes[len(self._times)] = more
    self._times.append(row["time"])
    self._counts.append(len(faces))
    if len(lists["tracks"]) > _PART:
      self._pack()

  def _pack(self):
    """Lists of Python's numbers take ten times the memory of arrays."""
    types = {"tracks": np.int32, "scores": np.float32, "how": np.uint8, "hidden": bool, "lost": bool}
    lists = self._faces
    part = {name: np.array(lists[name], kind) for name, kind in types.items()}
    self._parts.append(part | {"boxes": np.array(lists["boxes"], np.float32).reshape(-1, 4)})
    for rows in lists.values():
      rows.clear()

  def record(self, head):
    self._pack()
    arrays = {name: np.concatenate([part[name] for part in self._parts]) for name in self._faces}
    starts = np.concatenate([[0], np.cumsum(self._counts, dtype=np.int64)]).astype(np.int64)
    return Record(head, np.array(self._times, float), starts, **arrays, ways=tuple(self._ways), notes=self._notes)
