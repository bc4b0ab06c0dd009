"""Two conditions tried on the same people, in NumPy and SciPy on the host."""

import numpy as np
import scipy.stats

from qm_vae.errors import InputError


def mcnemar(first, second) -> dict:
  """Exact test of whether two conditions succeed equally often on the same cases.

  Args:
    first: bool [N], whether each case succeeded in the first condition.
    second: bool [N], the same cases in the second.

  Returns:
    {"n", "both", "first_only", "second_only", "neither": counts, "p": two-sided}; p is 1 where no case differs.

  Raises:
    ValueError: for arrays of different length, and none.

  Source: McNemar 1947; exact by the binomial distribution of the cases that differ, with a half as its parameter.

  >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])["p"]
  0.0625
  """
  first, second = np.asarray(first, bool), np.asarray(second, bool)
  if first.shape != second.shape or first.ndim != 1 or not len(first):
    raise InputError(f"cases of shapes {first.shape} and {second.shape}; give the same cases twice, one at least")
  ahead, behind = int((first & ~second).sum()), int((second & ~first).sum())
  p = scipy.stats.binomtest(ahead, ahead + behind).pvalue if ahead + behind else 1.0
  counts = {"both": int((first & second).sum()), "first_only": ahead, "second_only": behind}
  return {"n": len(first)} | counts | {"neither": int((~first & ~second).sum()), "p": float(p)}
