"""Ctrl-C and SIGTERM while training: the step under way ends, the state is kept, and the run ends in seconds."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


class Interrupted(RuntimeError):
  """Training ended on request; the message says what is kept. `number` is the signal's."""

  def __init__(self, message: str, number: int):
    super().__init__(message)
    self.number = number


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int]]:
  """A function that returns the number of the signal that came, 0 for none; a second signal acts at once.

  Several processes that train together, and threads other than the main one, leave signals as they are.
  """
  import jax  # whoever only catches `Interrupted` does not wait for it

  came = []
  mine = threading.current_thread() is threading.main_thread() and jax.process_count() == 1
  before = {number: signal.getsignal(number) for number in _SIGNALS} if mine else {}

  def note(number, frame):
    del frame
    came.append(number)
    for one, handler in before.items():
      signal.signal(one, handler if callable(handler) else signal.default_int_handler)

  for number in before:
    signal.signal(number, note)
  try:
    yield lambda: came[0] if came else 0
  finally:
    for number, handler in before.items():
      signal.signal(number, handler if handler is not None else signal.SIG_DFL)
