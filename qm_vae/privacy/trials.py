"""Genuine and impostor pairs, and the ROC and d' that they give when people count more or less often.

A genuine pair is a probe and its own person's gallery face, an impostor pair a probe and another's.

A genuine pair that the attacker could not use (NaN) counts as a random guess: an attacker without evidence accepts it
as often as an impostor, so it is spread over the impostors' distribution. With a share u of such pairs the ROC is
(1 - u) times that of the usable pairs plus u times the diagonal: exactly, without drawing scores. Drawing them from all
usable scores would mix genuine scores into the impostors, raise every threshold, and count as privacy at low FAR.
Unusable impostor pairs would be spread likewise, which changes nothing. Where nothing can be compared all is chance.
"""

from typing import NamedTuple

import numpy as np

from qm_vae.privacy.scores import checked


class Trials(NamedTuple):
  """All pairs, by the step of the ROC on which they stand."""

  mate: np.ndarray  # int [P], the probe's person, numbered by gallery face
  genuine: np.ndarray  # float64 [P], NaN where not usable
  impostor: np.ndarray  # float64 [P, G], NaN where not usable or the mate's
  threshold: np.ndarray  # float64 [K], descending: the lowest score of each step
  genuine_step: np.ndarray  # int [P] in 0..K; K where not usable
  impostor_step: np.ndarray  # int [P * G], alike


def collect(scores, probe_identity, gallery_identity) -> Trials:
  """All pairs of `scores` [P, G], sorted once.

  Raises:
    ValueError: as `scores.checked`.

  >>> trials = collect([[0.9, 0.1], [0.5, 0.4]], [0, 1], [0, 1])
  >>> trials.threshold.tolist(), trials.genuine.tolist()
  ([0.9, 0.5, 0.4, 0.1], [0.9, 0.4])
  """
  impostor, mate = checked(scores, probe_identity, gallery_identity)
  impostor = impostor.copy()
  row = np.arange(len(mate))
  genuine = impostor[row, mate]
  impostor[row, mate] = np.nan
  value, step = np.unique(-np.concatenate([genuine, impostor.ravel()]), return_inverse=True)
  usable = int(np.isfinite(value).sum())  # NaN sorts last, as one value
  held = np.zeros((2, len(value)), bool)  # by genuine pairs, by impostors
  held[0, step[: len(mate)]] = held[1, step[len(mate) :]] = True
  # A run of impostors (or of genuine pairs) is one straight line of the ROC however its pairs are weighted.
  corner = np.ones(len(value), bool)
  corner[1:] = (held[:, 1:] != held[:, :-1]).any(0) | held[:, 1:].all(0)
  corner[usable:] = True
  step = (np.cumsum(corner) - 1)[step]
  last = np.append(np.flatnonzero(corner[1:]), len(value) - 1)
  threshold = -value[last[last < usable]]
  return Trials(mate, genuine, impostor, threshold, step[: len(mate)], step[len(mate) :])


def curve(trials, weight):
  """The ROC when people count more or less often.

  Args:
    trials: Trials.
    weight: [G] >= 0, how often each person of the gallery counts. A genuine pair counts as often as its person, an
      impostor pair as often as the product of its two people.

  Returns:
    far, tar, each [K + 1] from 0 to 1, the corners at K falling thresholds; the two ends alone where nothing can be
    compared.

  >>> far, tar = curve(collect([[0.9, 0.1], [0.5, 0.4]], [0, 1], [0, 1]), np.array([3, 1]))
  >>> far.tolist(), tar.tolist()
  ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.75, 0.75, 1.0, 1.0])
  """
  k = len(trials.threshold)
  by_probe = weight[trials.mate]
  genuine = np.bincount(trials.genuine_step, by_probe, k + 1)
  impostor = np.bincount(trials.impostor_step, np.multiply.outer(by_probe, weight).ravel(), k + 1)
  far, tar = np.zeros(k + 1), np.zeros(k + 1)
  np.cumsum(impostor[:k], out=far[1:])
  if not far[-1] or not genuine.any():  # nothing to compare
    return np.array([0.0, 1.0]), np.array([0.0, 1.0])
  far /= far[-1]
  np.cumsum(genuine[:k], out=tar[1:])
  return far, (tar + genuine[k] * far) / genuine.sum()


def d_primes(trials, weights):
  """d' when people count more or less often; see `roc.d_prime`.

  Args:
    trials: Trials.
    weights: [R, G] >= 0, each row as for `curve`.

  Returns:
    [R]; 0 for equal means or nothing to compare, infinite where only the variances are 0.

  >>> d_primes(collect([[4.0, 1.0], [-1.0, 2.0]], [0, 1], [0, 1]), np.array([[1, 1], [2, 1]])).round(3).tolist()
  [3.0, 3.43]
  """
  by_probe = weights[:, trials.mate]
  centre = trials.threshold[len(trials.threshold) // 2] if len(trials.threshold) else 0.0

  def moments(score, total):
    there = np.isfinite(score)
    score = np.where(there, score - centre, 0.0)  # near 0: squares of far-off scores would round
    sums = [total(there.astype(float)), total(score), total(score * score)]
    return sums[0], *(np.divide(s, sums[0], out=np.zeros_like(s), where=sums[0] > 0) for s in sums[1:])

  impostors, mean, square = moments(trials.impostor, lambda x: ((by_probe @ x) * weights).sum(1))
  usable, genuine_mean, genuine_square = moments(trials.genuine, lambda x: by_probe @ x)
  share = usable / np.maximum(by_probe.sum(1), 1)
  share = np.where(impostors > 0, share, 0.0)
  # The random guesses have the impostors' moments.
  genuine_mean = mean + share * (genuine_mean - mean)
  genuine_square = square + share * (genuine_square - square)
  spread = np.sqrt(np.maximum(genuine_square - genuine_mean**2 + square - mean**2, 0) / 2)
  gap = np.where(share > 0, genuine_mean - mean, 0.0)
  with np.errstate(divide="ignore", invalid="ignore"):
    return np.where(gap == 0, 0.0, gap / spread)
