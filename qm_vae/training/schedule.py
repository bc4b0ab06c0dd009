"""Learning-rate schedules by name."""

import optax

from qm_vae.errors import InputError

SCHEDULES = ("constant", "cosine", "late_linear")


def make(name: str, peak: float, steps: int, warmup: int = 0) -> optax.Schedule:
  """A schedule that maps the step to the learning rate.

  Args:
    name: 'constant' (the paper's), 'cosine' (to 0 at `steps`), or 'late_linear' (constant for the first half of what
      follows the warm-up, then in a straight line to 0 at `steps`).
    peak: the highest rate.
    steps: optimiser steps of the whole run.
    warmup: steps of linear rise from 0 to `peak`, at most `steps`.

  Raises:
    ValueError: for a name that is not in SCHEDULES.
  """
  if name not in SCHEDULES:
    raise InputError(f"no schedule is called {name!r}; choose one of {', '.join(SCHEDULES)}")
  warmup = min(warmup, steps)
  rest = max(steps - warmup, 1)
  if name == "late_linear":
    late = optax.linear_schedule(peak, 0.0, rest - rest // 2)
    main = optax.join_schedules([optax.constant_schedule(peak), late], [rest // 2])
  else:
    main = optax.constant_schedule(peak) if name == "constant" else optax.cosine_decay_schedule(peak, rest)
  if not warmup:
    return main
  return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), main], [warmup])
