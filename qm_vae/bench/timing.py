"""Timing of programs that take turns, so that a disturbance meets all of them."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from qm_vae.errors import InputError


def milliseconds(call: Callable) -> tuple[float, object]:
  """(milliseconds, result) of one call, waited for."""
  import jax  # `rounds` reads a command line

  start = time.perf_counter()
  result = jax.block_until_ready(call())
  return 1e3 * (time.perf_counter() - start), result


def in_turns(calls: Mapping[str, Callable], rounds: int) -> dict[str, np.ndarray]:
  """Milliseconds of each call, `rounds` of them; a first round, which compiles, is not among them."""
  times = {name: [] for name in calls}
  for turn in range(rounds + 1):
    for name, call in calls.items():
      taken, _ = milliseconds(call)
      if turn:
        times[name].append(taken)
  return {name: np.array(values) for name, values in times.items()}


def summary(milliseconds: np.ndarray) -> dict:
  """{"ms": median, "middle_half_ms": [25th, 75th percentile], "n": number of calls}, ready for JSON."""
  low, high = np.percentile(milliseconds, [25, 75])
  return {"ms": float(np.median(milliseconds)), "middle_half_ms": [float(low), float(high)], "n": len(milliseconds)}


def rounds(text: str) -> int:
  """The number of rounds that a command line gives.

  Raises:
    ValueError: below 1.
  """
  if int(text) < 1:
    raise InputError(text)
  return int(text)
