"""Whether a curve of a training was still falling at its end."""

import numpy as np
from scipy import stats

from qm_vae.errors import InputError

LEAST = 5
"""Fewest points of the last part of a curve from which a trend is judged."""


def trend(values, share: float = 0.5) -> dict:
  """The Theil-Sen slope of a curve's last part, with its 95 % interval.

  Args:
    values: [T] finite numbers, one per evaluation, in order; lower is better.
    share: of the curve that is judged, at its end, in (0, 1].

  Returns:
    {"points": how many were judged, "change": fitted change over them, "low", "high": its interval, "falling": whether
    all of the interval lies below 0}; "change" None and "falling" None with fewer than LEAST points.

  Raises:
    ValueError: for a share outside (0, 1], and values that are not finite.

  Source: Sen 1968, "Estimates of the regression coefficient based on Kendall's tau".
  """
  values = np.asarray(values, np.float64)
  if not 0 < share <= 1:
    raise InputError(f"trend: a share of {share}; it lies in (0, 1]")
  if not np.isfinite(values).all():
    raise InputError("trend: values that are not finite; leave out evaluations that failed")
  last = values[len(values) - round(len(values) * share) :]
  if len(last) < LEAST:
    return {"points": len(last), "change": None, "low": None, "high": None, "falling": None}
  slope, _, low, high = (float(one) for one in np.asarray(stats.theilslopes(last, np.arange(len(last)), 0.95)))
  steps = len(last) - 1
  return {
    "points": len(last),
    "change": slope * steps,
    "low": low * steps,
    "high": high * steps,
    "falling": high < 0,
  }
