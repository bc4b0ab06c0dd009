"""How faces are followed through moving pictures: the settings that the command line shares with the work."""

from typing import NamedTuple

ON_MISS = ("hold", "mask", "stop", "fail")
"""What may be done where a face is lost inside the picture."""

GROUP = 8
"""Frames that are looked at, and written, together."""


class Settings(NamedTuple):
  """How faces are followed."""

  every: int = 1  # faces are sought in every n-th frame; at most the window
  window: int = 48  # frames that are known before one is written: gaps up to this long are filled from both sides
  hold: int = 48  # frames, at most the window: so long a face is hidden before its first and after its last finding
  on_miss: str = "hold"  # hold, fail: that is all | mask: frames where a face is lost are blanked | stop: no file
  draw_scores: bool = False  # into the written frames
  group: int = GROUP  # frames that are looked at together; 1 for live pictures
