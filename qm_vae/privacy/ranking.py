"""Naming people: among how many first guesses the right one is, and how many bits that takes away."""

import functools
import math

import numpy as np
import scipy.stats

from qm_vae.errors import InputError
from qm_vae.metrics import intervals
from qm_vae.privacy.scores import checked


def _rank(scores, probe_identity, gallery_identity):
  """Of each probe: [P] gallery faces ahead of the mate, and [P] faces level with it, itself counted."""
  scores, mate = checked(scores, probe_identity, gallery_identity)
  own = scores[np.arange(len(mate)), mate][:, None]
  # Comparisons with NaN are false, so that faces the attacker could not use stand behind.
  ahead, level = (scores > own).sum(1), (scores == own).sum(1)
  return ahead, np.where(np.isnan(own[:, 0]), scores.shape[1], level)


@functools.lru_cache
def _among(people, gallery_size, most):
  """[people, most]: chance that at most k - 1 of a given faces are among crowd - 1 drawn of people - 1; rows are a."""
  ahead, k = np.arange(people)[:, None], np.arange(1, most + 1)
  return scipy.stats.hypergeom.cdf(k - 1, people - 1, ahead, gallery_size - 1)


def _hits(scores, probe_identity, gallery_identity, most, gallery_size):
  """[P, most]: `hits` for k = 1 .. most."""
  ahead, level = _rank(scores, probe_identity, gallery_identity)
  people = len(gallery_identity)
  gallery_size = people if gallery_size is None else gallery_size
  if not 2 <= gallery_size <= people:
    raise InputError(f"a gallery of {gallery_size} of {people} people; choose from 2 to {people}")
  table = _among(people, gallery_size, most)
  # The mate stands at any place among those level with it, all alike.
  total = np.concatenate([np.zeros((1, most)), np.cumsum(table, 0)])
  return np.clip((total[ahead + level] - total[ahead]) / level[:, None], 0.0, 1.0)


def hits(scores, probe_identity, gallery_identity, k, gallery_size=None):
  """Probability that the true person is among the first k, equal scores being put in random order.

  An attacker who could not use a probe, or its person's gallery face, still guesses: such a probe counts k / G, so that
  a face nobody detects is not taken for one that is protected.

  With `gallery_size`, the gallery is a random choice of so many people, the probe among them, and the probability is
  over that choice too: exactly, by the hypergeometric distribution of how many of those ahead are chosen.

  Args:
    scores: [P, G], as for `scores.checked`; other people's NaN stand behind all finite scores.
    probe_identity: int [P].
    gallery_identity: int [G].
    k: >= 1; the first G always hold the true person.
    gallery_size: N in 2 .. G; None: G.

  Returns:
    [P] in [0, 1].

  Raises:
    ValueError: for k < 1, a crowd out of range, and as `scores.checked`.

  >>> scores = [[0.9, 0.2, 0.1], [0.5, 0.5, 0.1], [np.nan] * 3]
  >>> hits(scores, [0, 0, 0], [0, 1, 2], k=1).round(3).tolist()
  [1.0, 0.5, 0.333]
  >>> hits(scores, [0, 0, 0], [0, 1, 2], k=1, gallery_size=2).round(3).tolist()
  [1.0, 0.75, 0.5]
  """
  if k < 1:
    raise InputError(f"hits among the first {k}; k must be at least 1")
  return _hits(scores, probe_identity, gallery_identity, k, gallery_size)[:, -1]


def cmc(scores, probe_identity, gallery_identity, most=None, gallery_size=None):
  """Cumulative match characteristic: the mean of `hits` over the probes for k = 1 .. most.

  Args:
    scores: [P, G], as for `hits`.
    probe_identity: int [P].
    gallery_identity: int [G].
    most: >= 1; None: all of the crowd.
    gallery_size: as for `hits`.

  Returns:
    [most], rising; to 1 where most is the crowd.

  Raises:
    ValueError: as `hits`.

  Source: Phillips et al. 2000, "The FERET evaluation methodology for face-recognition algorithms".

  >>> cmc([[0.9, 0.2, 0.1], [0.5, 0.5, 0.1]], [0, 0], [0, 1, 2]).tolist()
  [0.75, 1.0, 1.0]
  """
  most = most or gallery_size or len(gallery_identity)
  return _hits(scores, probe_identity, gallery_identity, most, gallery_size).mean(0)


def rank_rate(scores, probe_identity, gallery_identity, k, gallery_size=None) -> intervals.Rate:
  """Rank-k identification rate with its 95 % interval: `rates.wilson_by_identity` of `hits`.

  Raises:
    ValueError: as `hits`.

  >>> rank_rate(np.eye(4), [0, 1, 2, 3], [0, 1, 2, 3], k=1).value
  1.0
  """
  return intervals.wilson_by_identity(hits(scores, probe_identity, gallery_identity, k, gallery_size), probe_identity)


def bits_leaked(rank_1, n):
  """Lower bound on the bits of identity that the attacker's scores hold, by Fano's inequality.

  Whoever names one of n equally likely people rightly with probability p has at least
  log2(n) - h(p) - (1 - p) log2(n - 1) bits about who it is, h being the binary entropy. A report should put in the
  lower end of rank 1's interval.

  Args:
    rank_1: p in [0, 1]; at or below chance the bound is 0, for a rate's lower end there tells nothing.
    n: people in the gallery, >= 2.

  Returns:
    bits, in [0, log2(n)].

  Raises:
    ValueError: for p outside [0, 1] or n < 2.

  Source: Cover and Thomas 2006, Elements of Information Theory, Theorem 2.10.1.

  >>> bits_leaked(1.0, 8), bits_leaked(1 / 8, 8), round(bits_leaked(0.5, 8), 2)
  (3.0, 0.0, 0.6)
  """
  if not 0 <= rank_1 <= 1 or n < 2:
    raise InputError(f"bits_leaked: rank-1 rate {rank_1} among {n}; the rate lies in [0, 1] and n is at least 2")
  if rank_1 <= 1 / n:
    return 0.0
  error = 1 - rank_1
  entropy = -sum(p * math.log2(p) for p in (rank_1, error) if p > 0)
  return max(0.0, math.log2(n) - entropy - error * math.log2(n - 1))
