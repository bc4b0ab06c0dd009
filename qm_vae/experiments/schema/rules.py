"""Rules of config keys that hold several values."""

from qm_vae.options import Rule, is_number


def _texts(value):
  return not isinstance(value, str) and all(isinstance(one, str) for one in value)


def _integers(value, low):
  return not isinstance(value, str) and len(value) > 0 and all(is_number(n, (int,)) and n >= low for n in value)


def _distinct(value):
  return len(value) == len(set(value))


def names_from(names: tuple[str, ...], *, at_least: int = 0) -> Rule:
  """Names from a table, each at most once."""
  words = "one or more of " if at_least else "none or more of "
  holds = lambda v: _texts(v) and at_least <= len(v) and _distinct(v) and set(v) <= set(names)
  return Rule(holds, words + ", ".join(names) + ", each once", names)


PATHS = Rule(_texts, "paths, as ('PATH',)")
NAMES = Rule(_texts, "names, as ('one', 'other')")
SOME_NAMES = Rule(lambda v: _texts(v) and len(v) > 0 and _distinct(v), "one or more names, each once")
SIZES = Rule(lambda v: _integers(v, 2), "integers, each at least 2")
TOLERANCES = Rule(
  lambda v: not isinstance(v, str) and all(is_number(one) and 0 < one < float("inf") for one in v), "numbers above 0"
)


def multiple_of(step: int, low: int, *, zero: bool = False) -> Rule:
  """A multiple of `step` from `low` upward, or 0 where `zero`."""
  words = f"a multiple of {step} from {low} upward"
  holds = lambda v: is_number(v, (int,)) and ((zero and v == 0) or (v >= low and v % step == 0))
  return Rule(holds, f"0, or {words}" if zero else words)


FRACTION = Rule(lambda v: is_number(v) and 0 < v < 1, "a number between 0 and 1, both excluded")
DECAY = Rule(lambda v: is_number(v) and 0 <= v < 1, "a number from 0 to below 1")
