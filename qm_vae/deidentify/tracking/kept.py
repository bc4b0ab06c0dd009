"""Whether a track that is left visible still shows the same person; where that is not certain, it does not count."""

import collections
from collections.abc import Sequence

import numpy as np

from qm_vae.deidentify.tracking.appearance import describe
from qm_vae.deidentify.tracking.places import FOUND, Place
from qm_vae.faces.detectors.heads import overlap

_NEXT = 0.6  # correlation of two neighbouring findings' portraits, from which they are one face
_AGAIN = 0.85  # the same with a portrait of before, after something happened; 0.3 % of other people's reach it
_TOUCHING = 0.05  # overlap of two faces, as a share of the union, from which on they may be exchanged
_TRUSTED = 16  # frames after which a portrait is one of before, if nothing happened meanwhile
_PORTRAITS = 24  # kept; every second goes when there are more


class Follower:
  """Follows one kept track through its frames in their order."""

  def __init__(self):
    self._known: list[np.ndarray] = []  # portraits of before
    self._recent = collections.deque()  # of the last frames, in which nothing happened
    self._last = None  # (frame, portrait) of the last certain finding

  def certain(self, frame: int, place: Place, others: Sequence[Place], picture: np.ndarray, steady: bool) -> bool:
    """Whether `place` is certainly the face that the track began with.

    It is so while the face is found in frame after frame, each portrait like the one before, the scene is steady, and
    no other face touches it. Else its portrait must be like one of before.

    Args:
      frame: number of the frame.
      place: of the track.
      others: all other faces of the frame.
      picture: uint8 [H, W, 3], the original frame.
      steady: see Shots.steady.
    """
    portrait = describe(picture, place.box)
    if portrait is None:
      return self._doubt()
    touched = bool(len(others)) and overlap(place.box, np.stack([one.box for one in others])).max() >= _TOUCHING
    calm = place.how == FOUND and steady and not touched
    if calm and not self._known:  # the first frame of all: what the track is known by
      self._known.append(portrait)
      return self._accept(frame, portrait)
    if calm and self._last is not None and frame - self._last[0] == 1 and portrait @ self._last[1] >= _NEXT:
      return self._accept(frame, portrait)
    again = max((float(portrait @ one) for one in self._known), default=-1.0)
    if again < _AGAIN:
      return self._doubt()
    if calm:
      return self._accept(frame, portrait)
    self._doubt()
    return True

  def _accept(self, frame, portrait):
    self._last = (frame, portrait)
    self._recent.append(portrait)
    if len(self._recent) > _TRUSTED:
      self._known.append(self._recent.popleft())
      if len(self._known) > _PORTRAITS:
        del self._known[1::2]  # never the first
    return True

  def _doubt(self):
    """Forgets what is not yet trusted: it may show the other one already."""
    self._recent.clear()
    self._last = None
    return False
