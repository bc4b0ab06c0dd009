"""OUT.json of a video read back, with the faces of all frames in a few arrays."""

import json
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from qm_vae.deidentify.tracking.places import Place
from qm_vae.errors import InputError

_FRAMES = '"frames": ['


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
    ValueError: for a file that is no such record, naming what is wrong.
    OSError: where it cannot be read.
  """
  path = pathlib.Path(path)
  try:
    with path.open(encoding="utf-8") as file:
      made = _read(file)
  except (json.JSONDecodeError, UnicodeDecodeError) as error:
    raise InputError(f"{path} is no JSON ({error}); protect the file again") from None
  except (KeyError, TypeError, AttributeError) as error:
    raise InputError(f"{path} is no record of a video ({error!r}); give the OUT.json of a video") from None
  return made


def _read(file):
  kept, rows, within = [], _Rows(), False
  for line in file:
    text = line.strip()
    if within and text.startswith("{"):
      rows.add(json.loads(text.removesuffix(",")))
      continue
    within = text == _FRAMES if not within else False
    kept.append(line)
  head = json.loads("".join(kept))
  for row in head.pop("frames"):  # of a file that was laid out anew
    rows.add(row)
  return rows.record(head)


class _Rows:
  """Takes the frames one by one."""

  def __init__(self):
    self._times, self._counts, self._notes, self._ways = [], [], {}, {}
    self._faces = {name: [] for name in ("tracks", "boxes", "scores", "how", "hidden", "lost")}
    self._parts = []

  def add(self, row):
    if row["frame"] != len(self._times):
      raise KeyError(f"frame {len(self._times)} is missing")
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


_PART = 4096  # faces that are packed together
