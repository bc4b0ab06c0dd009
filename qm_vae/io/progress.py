"""The progress bar of everything that takes more than a few seconds."""

import sys
from collections.abc import Callable

import tqdm

_SECONDS_BETWEEN_LINES = 15  # where standard error is a file, every refresh is a line that stays


def bar(total: int | None, description: str, unit: str, *, initial: int = 0, shown: bool = True) -> tqdm.tqdm:
  """A bar on standard error that tells what is done, the speed and the time left; a context manager.

  Args:
    total: number of units; None where nobody knows.
    description: what is being done.
    unit: of what.
    initial: units done before.
    shown: False for none.
  """
  interval = 0.2 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
  return tqdm.tqdm(
    total=total, desc=description, unit=unit, initial=initial, disable=not shown, mininterval=interval, smoothing=0.1
  )


def teller(bar: tqdm.tqdm) -> Callable[[str], None]:
  """A function to call with what begins; what it was called with before counts as done. `bar` shows both."""
  begun = []

  def tell(doing):
    bar.update(len(begun) and 1)
    begun.append(doing)
    bar.set_postfix_str(doing)

  return tell
