"""Options that members of a table declare in their signature: default, rule and unit in one place."""

import dataclasses
import functools
import inspect
import math
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from qm_vae.arguments import nearest
from qm_vae.errors import InputError


@dataclasses.dataclass(frozen=True)
class Rule:
  """What an option, or a key of a config, may hold."""

  holds: Callable[[Any], bool]
  allowed: str  # the same in words
  names: tuple[str, ...] = ()  # that the value, or each of its members, must be one of


@dataclasses.dataclass(frozen=True)
class Option:
  """The rule of an option and what its value means: `x: Annotated[int, Option(integer(1), "pixels")] = 8`."""

  rule: Rule
  unit: str = ""


@dataclasses.dataclass(frozen=True)
class Declared:
  """An option as its member declares it."""

  default: Any
  rule: Rule
  unit: str


def is_number(value: Any, kinds: tuple[type, ...] = (int, float)) -> bool:
  """Whether a value is a number of these kinds; True and False are none."""
  return isinstance(value, kinds) and not isinstance(value, bool)


def one_of(*names: str) -> Rule:
  """One of a few texts."""
  return Rule(lambda v: isinstance(v, str) and v in names, "one of " + ", ".join(n or "''" for n in names), names)


def between(low: float, high: float) -> Rule:
  """A number from `low` to `high`, both included."""
  return Rule(lambda v: is_number(v) and low <= v <= high, f"a number from {low:g} to {high:g}")


def integer(low: int, high: int | None = None) -> Rule:
  """An integer of at least `low`, and at most `high` where given."""
  top = math.inf if high is None else high
  words = f"an integer, at least {low}" if high is None else f"an integer from {low} to {high}"
  return Rule(lambda v: is_number(v, (int,)) and low <= v <= top, words)


SIDE = integer(8, 4096)
"""Side of a network's input, pixels."""
OBJECT = Rule(lambda v: isinstance(v, dict) and all(isinstance(key, str) for key in v), "an object")
NAMES = Rule(
  lambda v: (
    isinstance(v, list | tuple)
    and 0 < len(v) <= 1000
    and all(isinstance(name, str) for name in v)
    and len(set(v)) == len(v)
  ),
  "up to 1000 names, each once",
)


def numbers(count: int) -> Rule:
  """So many finite numbers."""
  return Rule(
    lambda v: isinstance(v, list | tuple) and len(v) == count and all(is_number(one) and abs(one) < 1e30 for one in v),
    f"{count} numbers",
  )


POSITIVE = Rule(lambda v: is_number(v) and 0 < v <= sys.float_info.max, "a number above 0")
NOT_NEGATIVE = Rule(lambda v: is_number(v) and 0 <= v <= sys.float_info.max, "a number, at least 0")
TEXT = Rule(lambda v: isinstance(v, str), "a text")
PATH = Rule(lambda v: isinstance(v, str) or hasattr(v, "__fspath__"), "a path")
FLAG = Rule(lambda v: isinstance(v, bool), "True or False")


def suggestion(rule: Rule, value: Any) -> str:
  """'did you mean NAME? ' for the first name in `value` that the rule does not know; '' where there is none."""
  for one in value if isinstance(value, tuple | list) else (value,):
    name = str(one).partition(":")[0]
    if rule.names and name not in rule.names:
      return nearest(name, rule.names)
  return ""


def member(**traits: Any) -> Callable[[Callable], Callable]:
  """Marks a function as a member's factory: its options are checked on every call, and `traits` become attributes.

  Options are the keyword parameters annotated with an `Option`. The factory raises ValueError for an option that is
  unknown or breaks its rule, naming the member, the value, what is allowed and the default.

  Args:
    traits: what the table's programs ask of a member, such as `control=True`; each table documents its own.
  """

  def mark(factory):
    found = _declared(factory)
    name = factory.__module__.rpartition(".")[2].lstrip("_")

    @functools.wraps(factory)
    def checked(*args, **options):
      check(name, found, {key: value for key, value in options.items() if key not in _others(factory, found)})
      return factory(*args, **options)

    checked.__dict__.update(options=found, traits=dict(traits))
    return checked

  return mark


def declared(factory: Callable) -> Mapping[str, Declared]:
  """The options that a factory declares; none where it was not marked with `member`."""
  return getattr(factory, "options", {})


def trait(factory: Callable, name: str, default: Any = None) -> Any:
  """A trait that a factory declares, or `default`."""
  return getattr(factory, "traits", {}).get(name, default)


def check(name: str, found: Mapping[str, Declared], given: Mapping[str, Any]) -> None:
  """Returns where every option of `given` is known and keeps its rule.

  Raises:
    ValueError: naming the member, the option, its value, what is allowed and the default.
  """
  for key, value in given.items():
    if key not in found:
      raise InputError(f"{name} has no option {key!r}; {nearest(key, found)}it takes {', '.join(found) or 'none'}")
    one = found[key]
    if not one.rule.holds(value):
      unit = f" ({one.unit})" if one.unit else ""
      raise InputError(f"{name}: {key} {value!r} must be {one.rule.allowed}{unit}; the default is {one.default!r}")


def _declared(factory):
  hints = typing.get_type_hints(factory, include_extras=True)
  found = {}
  for key, parameter in inspect.signature(factory).parameters.items():
    for note in getattr(hints.get(key), "__metadata__", ()):
      if isinstance(note, Option):
        found[key] = Declared(parameter.default, note.rule, note.unit)
  return found


def _others(factory, found):
  """Keyword parameters that are no options, such as a gallery of faces."""
  return [key for key in inspect.signature(factory).parameters if key not in found]
