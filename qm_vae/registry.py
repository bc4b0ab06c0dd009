"""A lazy table from names to the code behind them, which a user's package can extend."""

import difflib
import functools
import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

from qm_vae.errors import InputError


class Registry(Mapping):
  """Maps a name to the attribute that 'module:attribute' names, imported when first asked for.

  A folder's table costs nothing to import, so that listing de-identifiers does not load OpenCV or a network. Members
  of other packages join by `register`, or by an entry point of the table's group in their pyproject.toml:

    [project.entry-points."qm_vae.deidentifiers"]
    pixel_sort = "my_package.pixel_sort:make"

  Raises:
    KeyError: for a name that is not listed; the message lists those that are.
  """

  def __init__(self, kind: str, table: Mapping[str, str], group: str = ""):
    """Makes a table.

    Args:
      kind: what its members are, for messages.
      table: {name: 'module:attribute'}.
      group: of the entry points that add members; '' for none.
    """
    self.kind, self.group = kind, group
    self._table: dict[str, Any] = dict(table)

  @functools.cached_property
  def _members(self) -> dict[str, Any]:
    for point in importlib.metadata.entry_points(group=self.group) if self.group else ():
      if point.name in self._table and self._table[point.name] != point.value:
        raise InputError(
          f"two members of {self.group} are called {point.name!r}: {self._table[point.name]} and {point.value}; "
          "rename the one of the installed package"
        )
      self._table[point.name] = point.value
    return self._table

  def names(self) -> tuple[str, ...]:
    """The names in the order of the table."""
    return tuple(self._members)

  def register(self, name: str, target: str | Callable) -> None:
    """Adds a member for this process.

    Args:
      name: not in the table yet.
      target: the member itself, or 'module:attribute'.

    Raises:
      ValueError: for a name that is taken, or a text of another form.
    """
    if name in self._members:
      raise InputError(f"a {self.kind} is already called {name!r}; choose another name")
    if isinstance(target, str) and len(target.split(":")) != 2:
      raise InputError(f"{target!r} names no {self.kind}; write 'module:attribute', or give the object itself")
    self._members[name] = target

  def __getitem__(self, name: str):
    if name not in self._members:
      near = difflib.get_close_matches(str(name), self._members, 1)
      hint = f"did you mean {near[0]}? " if near else ""
      raise KeyError(f"no {self.kind} is called {name!r}; {hint}choose one of {', '.join(self._members)}")
    target = self._members[name]
    if not isinstance(target, str):
      return target
    module, attribute = target.split(":")
    return getattr(importlib.import_module(module), attribute)

  def __iter__(self):
    return iter(self._members)

  def __len__(self):
    return len(self._members)
