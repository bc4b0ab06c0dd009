"""Which frames show what came damaged, or build on it."""


class Damage:
  """What follows a packet that is corrupt or cannot be decoded is damaged, until a clean key frame that came after it.

  The decoder must hand packets' `opaque` on to their frames (copy_opaque).
  """

  def __init__(self):
    self._fed = 0
    self._since: int | None = None

  def feed(self, packet) -> None:
    """Numbers a packet before it is decoded."""
    self._fed += 1
    packet.opaque = self._fed
    if packet.is_corrupt:
      self.struck()

  def struck(self) -> None:
    """What comes from now on is damaged."""
    self._since = self._fed

  def shows(self, picture) -> bool:
    """Whether a frame is damaged."""
    if picture.is_corrupt:
      self._since = max(self._since or 0, picture.opaque or self._fed)
    elif self._since is not None and picture.key_frame and (picture.opaque or 0) > self._since:
      self._since = None
    return self._since is not None
