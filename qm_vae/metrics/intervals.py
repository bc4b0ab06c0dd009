"""Rates with their uncertainty, on the host, in NumPy."""

import math
from typing import NamedTuple

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError

Z = 1.959963984540054  # two-sided 95 %
LEVEL = 95.0  # percent


class Rate(NamedTuple):
  """A share of n trials and its 95 % interval."""

  value: float  # NaN when n is 0
  n: int
  low: float
  high: float
  method: str  # wilson | wilson_effective | bootstrap | none

  def as_dict(self) -> dict:
    """The fields by name; a NaN value becomes None, which JSON can hold."""
    return self._asdict() | {"value": None if math.isnan(self.value) else self.value}


NONE = Rate(math.nan, 0, 0.0, 1.0, "none")


def _wilson_interval(p, n):
  centre = p + Z * Z / (2 * n)
  reach = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
  scale = 1 + Z * Z / n
  # At p = 0 and p = 1 the bound is p itself; rounding must not move it.
  return (0.0 if p == 0 else (centre - reach) / scale), (1.0 if p == 1 else (centre + reach) / scale)


def wilson(successes, n) -> Rate:
  """Rate of independent trials with Wilson's score interval.

  Args:
    successes: number of successes, 0 <= successes <= n.
    n: number of trials; 0 gives NaN with the interval [0, 1].

  Raises:
    ValueError: for successes outside 0..n.

  Source: Wilson 1927.
  """
  if not 0 <= successes <= n:
    raise InputError(f"wilson: {successes} successes of {n} trials; successes must lie in 0..n")
  if not n:
    return NONE
  p = float(successes / n)
  return Rate(p, int(n), *_wilson_interval(p, n), "wilson")


def wilson_effective(value, variance, n, people) -> Rate:
  """Wilson's score interval of trials that are not independent, with as many as their variance shows there to be.

  The effective number is value (1 - value) / variance, between 1 and n; where the rate is 0 or 1 or its variance 0, so
  that nothing was seen of how people differ, it is the number of people.

  Args:
    value: the rate, in [0, 1].
    variance: an estimate of the rate's own variance that allows for people who repeat, >= 0.
    n: number of trials, >= 1.
    people: number of people in them, 1..n.

  Raises:
    ValueError: for a value outside [0, 1] or people outside 1..n.

  Source: Korn and Graubard 1998 for the effective number; Dean and Pagano 2015 for Wilson's interval with it.
  """
  if not 0 <= value <= 1 or not 1 <= people <= n:
    raise InputError(f"wilson_effective: rate {value} of {people} people in {n} trials; give [0, 1] and 1..n")
  binomial = value * (1 - value)
  unseen = binomial < 1e-12 or variance < 1e-12 * binomial  # beside rounding
  effective = people if unseen else min(max(binomial / variance, 1), n)
  low, high = _wilson_interval(float(value), effective)
  return Rate(float(value), int(n), float(low), float(high), "wilson_effective")


def wilson_by_identity(values, identity) -> Rate:
  """Mean of `values` with Wilson's interval for as many trials as people's likeness to themselves leaves.

  The variance is that of a ratio of sums over people, by linearisation. Near 0 and 1, where few people decide, this
  covers its 95 % while the percentiles of `bootstrap_by_identity` do not: for 100 people, three images each, at a rate
  of 0.01 they covered 85 %. Where nobody repeats it is `wilson`.

  Args:
    values: [N] in [0, 1], one per image.
    identity: [N] integers; UNKNOWN (-1) counts as a person of its own.

  Returns:
    Rate with n = N; n = 0 gives NaN with the interval [0, 1].

  Raises:
    ValueError: for values outside [0, 1], or lengths that differ.

  Source: as `wilson_effective`; Cochran 1977, Sec. 11.8, for the variance.
  """
  values, person = _checked(values, identity)
  counts = np.bincount(person)
  people, n = len(counts), len(values)
  if people == n:
    return wilson(float(values.sum()), n)
  value = min(float(values.mean()), 1.0)
  residual = np.bincount(person, values) - value * counts
  return wilson_effective(value, people / max(people - 1, 1) * float(residual @ residual) / n**2, n, people)


def people_of(identity) -> np.ndarray:
  """int [N] in 0..P-1 numbering the P people of `identity` int [N]; each UNKNOWN is a person of its own."""
  identity = np.asarray(identity, np.int64)
  unknown = identity == types.UNKNOWN
  _, person = np.unique(identity, return_inverse=True)
  return np.unique(
    np.where(unknown, person.max(initial=0) + 1 + np.arange(len(identity)), person), return_inverse=True
  )[1]


def bootstrap_by_identity(values, identity, seed=0, resamples=2000) -> Rate:
  """Mean of `values` with the percentile interval of a bootstrap that draws people, with all their images.

  Images of one person are not independent trials; drawing images one by one would claim too much.

  Where every resample gives the same mean (all values equal, or one person), the bootstrap knows no spread; then the
  interval is Wilson's with as many trials as there are people, and `method` says so. For rates near 0 or 1, or few
  people, take `wilson_by_identity`.

  Args:
    values: [N] in [0, 1], one per image.
    identity: [N] integers; UNKNOWN (-1) counts as a person of its own.
    seed: of the resampling.
    resamples: how many times the people are drawn, >= 1.

  Returns:
    Rate with n = N; n = 0 gives NaN with the interval [0, 1].

  Raises:
    ValueError: for values outside [0, 1], or lengths that differ.

  Source: Efron and Tibshirani 1993, Ch. 13; Field and Welsh 2007 for whole clusters.
  """
  values, person = _checked(values, identity)
  if not len(values):
    return NONE
  sums, counts = np.bincount(person, values), np.bincount(person)
  people = len(counts)
  random = np.random.default_rng(seed)
  means = np.empty(resamples)
  for i in range(resamples):  # one at a time: resamples x people would be hundreds of megabytes
    drawn = np.bincount(random.integers(people, size=people), minlength=people)
    means[i] = (drawn @ sums) / (drawn @ counts)
  value = float(values.mean())
  low, high = np.percentile(means, [50 - LEVEL / 2, 50 + LEVEL / 2])
  if high - low < 1e-12:  # the rounding of a mean
    return Rate(value, len(values), *_wilson_interval(value, people), "wilson")
  return Rate(value, len(values), float(low), float(high), "bootstrap")


def rate(values, identity=None) -> Rate:
  """Mean of `values` with Wilson's interval, which allows for people who repeat: `wilson_by_identity`.

  Args:
    values: [N] in [0, 1], usually indicators.
    identity: [N] integers, or None when nobody is known to repeat.

  Returns:
    Rate.

  Raises:
    ValueError: for values outside [0, 1], or lengths that differ.
  """
  return wilson_by_identity(values, np.full(len(values), types.UNKNOWN) if identity is None else identity)


def _checked(values, identity):
  values = np.asarray(values, np.float64).reshape(-1)
  if len(values) != len(identity):
    raise InputError(f"{len(values)} values for {len(identity)} identities; give one identity per value")
  if not np.all((values >= 0) & (values <= 1)):
    raise InputError("a rate is a mean of values in [0, 1]; found one outside, or NaN")
  return values, people_of(identity)
