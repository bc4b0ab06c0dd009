"""The record beside a protected video: OUT.json, written frame by frame."""

import contextlib
import json
import os
import pathlib
from typing import Any

from qm_vae.deidentify.tracking.places import Place
from qm_vae.deidentify.video.aside import Aside, naming

VERSION = 1


class Sidecar:
  """One JSON file, written aside while the video is made, so that its length never stands in memory."""

  def __init__(self, path: str | os.PathLike | None, head: dict[str, Any]):
    """Begins the file with `head`, what is known before the first frame. None: no file, tracks are counted anyway."""
    self._tracks: dict[int, dict[str, Any]] = {}
    self._aside = self._file = None
    if path is not None:
      self._aside = Aside(pathlib.Path(path))
      self._file = self._aside.path.open("w", encoding="utf-8")
      text = json.dumps({"version": VERSION} | head, indent=1, allow_nan=False)
      self._file.write(text[: text.rindex("\n}")] + ',\n "frames": [')
    self._first = True

  def frame(
    self, number: int, time: float, faces: list[tuple[Place, bool]], blanked: str, *, cut: bool = False
  ) -> None:
    """One frame: its faces with whether each was hidden, why the whole was blanked ('': it was not), and a new shot."""
    for place, hidden in faces:
      track = self._tracks.setdefault(
        place.track, {"track": place.track, "first": number, "found": 0, "filled": 0, "held": 0, "lost": 0, "left": 0}
      )
      track["last"] = number
      track[place.how] = track.get(place.how, 0) + 1  # "added" is counted only where a person drew something
      track["lost"] += place.lost
      track["left"] += not hidden
    if self._file:
      row = {"frame": number, "time": round(time, 6), "faces": [_face(*one) for one in faces]}
      row |= {"blanked": blanked} if blanked else {}
      row |= {"cut": True} if cut else {}
      with naming(self._aside.final):
        self._file.write(("\n  " if self._first else ",\n  ") + json.dumps(row, allow_nan=False))
      self._first = False

  @property
  def tracks(self) -> list[dict[str, Any]]:
    """What is known of each track: first and last frame, and in how many it was found, filled, held, lost, or left."""
    return list(self._tracks.values())

  def close(self, tail: dict[str, Any]) -> None:
    """Ends the file with the tracks and `tail`, and gives it its name."""
    if self._file:
      text = json.dumps({"tracks": self.tracks} | tail, indent=1, allow_nan=False)
      with naming(self._aside.final):
        self._file.write("\n ]," + text[1:] + "\n")
        self._file.close()
      self._aside.publish()

  def abort(self) -> None:
    """Removes what was written."""
    if self._file:
      with contextlib.suppress(OSError):  # a full disk does not take what is still in memory
        self._file.close()
      self._aside.drop()


def _face(place, hidden):
  return {
    "track": place.track,
    "box": [round(float(value), 1) for value in place.box],
    "score": round(place.score, 3),
    "how": place.how,
    "hidden": hidden,
  } | ({"lost": True} if place.lost else {})
