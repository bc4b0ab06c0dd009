"""Which faces are left as they are on purpose: by a place in the picture, or by a track of an earlier pass."""

import pathlib
import re
import reprlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qm_vae.deidentify.tracking.places import Place
from qm_vae.errors import InputError, InvalidFile
from qm_vae.faces.detectors.heads import overlap
from qm_vae.io import reading

_REGION = re.compile(r"(\d+),(\d+),(\d+),(\d+)$")
_TRACK = re.compile(r"(.+\.json):(\d+)$")
_SAME_PLACE = 0.5  # overlap, as a share of the union, of a face with where the earlier pass had it


class Region(NamedTuple):
  """A rectangle of the picture, pixels."""

  x: int
  y: int
  width: int
  height: int

  def holds(self, box: np.ndarray, frame: int, number: int) -> bool:
    """Whether the box's centre lies inside."""
    del frame, number
    x, y = np.asarray(box[:2]) + np.asarray(box[2:]) / 2
    return bool(self.x <= x < self.x + self.width and self.y <= y < self.y + self.height)


class Known(NamedTuple):
  """A track of an earlier pass over the same video with the same settings."""

  number: int
  boxes: dict[int, np.ndarray]  # frame -> [4]

  def holds(self, box: np.ndarray, frame: int, number: int) -> bool:
    """Whether this is the same track, and stands where it stood then."""
    if number != self.number or frame not in self.boxes:
      return False
    return bool(overlap(np.asarray(box, float), self.boxes[frame][None])[0] >= _SAME_PLACE)


class Selection(NamedTuple):
  """Faces that are left alone."""

  keep: tuple[Region | Known, ...] = ()  # these are not hidden
  only: tuple[Region | Known, ...] = ()  # unless empty: no others are hidden

  def hides(self, box: np.ndarray, frame: int, number: int) -> bool:
    """Whether a face is to be hidden."""
    if any(one.holds(box, frame, number) for one in self.keep):
      return False
    return not self.only or any(one.holds(box, frame, number) for one in self.only)

  @property
  def followed(self) -> frozenset[int]:
    """Tracks that are left visible by their number, as long as they show the same person."""
    return frozenset(one.number for one in self.keep if isinstance(one, Known))

  def added(self, frame: int) -> list[Place]:
    """Places that are hidden besides those that were found: none; see reviewed.Reviewed."""
    del frame
    return []


def parse(texts: Sequence[str], finding: dict | None) -> tuple[Region | Known, ...]:
  """What `--keep` and `--only` name.

  Args:
    texts: each 'X,Y,WIDTH,HEIGHT' in pixels, or 'SIDECAR.json:TRACK'.
    finding: what decides the tracks now (source and settings), to be equal to the sidecar's; None where there are none.

  Raises:
    ValueError: for other texts, a sidecar without that track, or one of another video or other settings: its numbers
      would stand for other people.
  """
  return tuple(_one(text, finding) for text in texts)


def _one(text, finding):
  if match := _REGION.match(text):
    return Region(*map(int, match.groups()))
  match = _TRACK.match(text)
  if not match:
    raise InputError(f"{text!r} names no face; write X,Y,WIDTH,HEIGHT in pixels, or SIDECAR.json:TRACK")
  if finding is None:
    raise InputError(f"{text!r}: tracks are of videos alone; name a region, X,Y,WIDTH,HEIGHT")
  path, number = pathlib.Path(match[1]), int(match[2])
  try:
    sidecar = reading.read_json(path)
    then, frames = dict(sidecar["finding"]), sidecar["frames"]
    found = [(f["frame"], np.array(face["box"], float), face["track"]) for f in frames for face in f["faces"]]
    tracks = [t["track"] for t in sidecar["tracks"]]
    if any(box.shape != (4,) or not isinstance(frame, int) for frame, box, _ in found):
      raise InputError("a box is none")
  except InvalidFile:
    raise
  except (KeyError, TypeError, ValueError, OverflowError) as error:
    words = f"is no sidecar of a video that can be read ({str(error)[:200]})"
    raise InvalidFile(path, words, "OUT.json of python -m qm_vae.deidentify") from None
  changed = sorted(key for key in then.keys() | finding.keys() if then.get(key) != finding.get(key))
  if changed:
    differences = "; ".join(f"{key} {then.get(key)!r} then, {finding.get(key)!r} now" for key in changed)
    raise InputError(f"{path} was made otherwise, so that its track {number} may be somebody else now: {differences}")
  boxes = {frame: box for frame, box, track in found if track == number}
  if not boxes:
    raise InputError(f"{path} has no track {number}; its tracks are {reprlib.repr(tracks)}")
  return Known(number, boxes)
