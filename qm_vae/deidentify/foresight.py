"""Faces of the frames that wait, shown to a hider before their turn."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from qm_vae.deidentify.hiding import Hider
from qm_vae.deidentify.reviewed import ByTrack, Reviewed
from qm_vae.deidentify.selection import Selection
from qm_vae.deidentify.settings import GROUP
from qm_vae.deidentify.tracking.places import Place
from qm_vae.deidentify.video import Frame


class Foresight:
  """Shows a hider the faces to come, each frame once."""

  def __init__(self, hider: Hider | ByTrack, selection: Selection | Reviewed, places: Callable[[int], Sequence[Place]]):
    """`places` gives the faces of a frame, as far as is known, and `selection` says which of them are hidden."""
    self._hider, self._selection, self._places, self._last = hider, selection, places, -1

  def __call__(self, now: Frame, waiting: Iterable[Frame]) -> None:
    """Shows the faces of the frames after `now`, as far ahead as they are of use to the hider.

    Args:
      now: the last frame whose faces are hidden next.
      waiting: frames after it, in their order.
    """
    if not self._hider.foresight:
      return
    begins, ends = max(self._last, now.number), now.time + self._hider.foresight
    ahead = [frame for frame in waiting if not frame.damaged and frame.number > begins and frame.time <= ends]
    for start in range(0, len(ahead), GROUP):
      some = ahead[start : start + GROUP]
      self._last = some[-1].number
      boxes, tracks = columns([self._to_hide(frame.number) for frame in some])
      try:
        self._hider.foresee([frame.pixels() for frame in some], boxes, tracks, [frame.time for frame in some])
      except Exception:  # the frame that this is about is blanked when its turn comes
        continue

  def _to_hide(self, number):
    return [place for place in self._places(number) if self._selection.hides(place.box, number, place.track)]


def columns(faces: Sequence[Sequence[Place]]) -> tuple[list[list[np.ndarray]], list[list[int]]]:
  """(boxes, tracks) of the faces of each picture, as a hider takes them."""
  return [[place.box for place in found] for found in faces], [[place.track for place in found] for found in faces]
