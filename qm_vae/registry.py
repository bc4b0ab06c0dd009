"""A lazy table from names to the code behind them."""

import importlib
from collections.abc import Mapping


class Registry(Mapping):
  """Maps a name to the attribute that 'module:attribute' names, imported when first asked for.

  A folder's table costs nothing to import, so that listing de-identifiers does not load OpenCV or a network.

  Raises:
    KeyError: for a name that is not listed; the message lists those that are.
  """

  def __init__(self, kind: str, table: dict[str, str]):
    self._kind = kind
    self._table = dict(table)

  def names(self) -> tuple[str, ...]:
    """The names in the order of the table."""
    return tuple(self._table)

  def __getitem__(self, name: str):
    if name not in self._table:
      raise KeyError(f"no {self._kind} is called {name!r}; choose one of {', '.join(self._table)}")
    module, attribute = self._table[name].split(":")
    return getattr(importlib.import_module(module), attribute)

  def __iter__(self):
    return iter(self._table)

  def __len__(self):
    return len(self._table)
