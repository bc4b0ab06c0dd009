"""A source whose records are read, or drawn, once."""

from typing import Any

from qm_vae.types import Record, Source

MOST = 256 * 2**20
"""Bytes of the pictures that are kept, at most."""


class Remembered:
  """The same source; records that were asked for are kept until their pictures fill `most` bytes."""

  def __init__(self, source: Source, most: int = MOST):
    """Reads nothing yet."""
    self._source, self._left = source, most
    self._kept: dict[int, Record] = {}

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> Record:
    if index in self._kept:
      return self._kept[index]
    record = self._source[index]
    if record.image.nbytes <= self._left:
      self._left -= record.image.nbytes
      self._kept[index] = record
    return record

  def __getattr__(self, name: str) -> Any:
    """What else the source says: its classes, identities, fingerprint and sessions."""
    return getattr(self._source, name)
