"""An argument parser whose errors are one line and name the nearest option."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


def nearest(name: str, known: Iterable[str]) -> str:
  """'did you mean NAME? ' with the nearest of the known names, or '' where none is near.

  >>> nearest("mozaic", ("blur", "mosaic")), nearest("x", ("blur",))
  ('did you mean mosaic? ', '')
  """
  found = difflib.get_close_matches(str(name), list(known), 1)
  return f"did you mean {found[0]}? " if found else ""


class Parser(argparse.ArgumentParser):
  """An ArgumentParser without the pages of usage that precede an error; the exit status is `wrong`."""

  wrong = 2

  def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
    """As ArgumentParser's; an option that does not exist is named before anything that is missing."""
    given = list(sys.argv[1:] if args is None else args)
    if not self._subparsers:
      options = given[: given.index("--")] if "--" in given else given
      unknown = [one.partition("=")[0] for one in options if one.startswith("--") and len(one) > 2]
      known = [name for name in self._option_string_actions if name.startswith("--")]
      for name in unknown:
        if not any(one.startswith(name) for one in known):
          self.error(f"there is no option {name}; {nearest(name, known)}--help lists them all")
    return super().parse_known_args(given, namespace)

  def error(self, message: str) -> NoReturn:
    """Ends the program with one line."""
    for action in self._actions:
      what = "/".join(action.option_strings) or str(action.metavar or action.dest)
      found = re.match(rf"argument {re.escape(what)}: invalid choice: '([^']*)'", message)
      if found and action.choices is not None:
        names = [str(name) for name in action.choices]
        message = f"{what} is {found[1]!r}; {nearest(found[1], names)}choose one of {', '.join(names)}"
    self.exit(self.wrong, f"error: {message}\n")
