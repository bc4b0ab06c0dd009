"""All that a report says about one attacker, from its scores alone."""

import math

import numpy as np

from qm_vae.errors import InputError
from qm_vae.privacy import ranking, roc
from qm_vae.privacy.scores import checked

RANKS = (1, 5, 10)
CMC_RANKS = 50
ROC_POINTS = 200


def chance(n):
  """What every measure is worth for an attacker who guesses among n people.

  Args:
    n: people in the gallery, >= 2.

  Returns:
    {measure: value}, named as in `summary`.

  Raises:
    ValueError: for n < 2.

  >>> levels = chance(500)
  >>> levels["rank_1"], levels["auc"], levels["tar_at_far_1e-3"], levels["bits"]
  (0.002, 0.5, 0.001, 0.0)
  """
  if n < 2:
    raise InputError(f"chance among {n} people; give two or more")
  return (
    {f"rank_{k}": min(1.0, k / n) for k in RANKS}
    | {"auc": 0.5, "eer": 0.5}
    | {roc.far_name(far): far for far in roc.FARS}
    | {"d_prime": 0.0, "bits": 0.0}
  )


def _reduced(far, tar, threshold):
  """At most ROC_POINTS corners: half of them even along the curve, half even in log FAR."""
  half = ROC_POINTS // 2
  along = np.searchsorted(far + tar, np.linspace(0, 2, half))
  low = np.searchsorted(far, np.geomspace(1e-4, 1, half), side="right") - 1
  chosen = np.unique(np.clip(np.concatenate([along, low]), 0, len(far) - 1))
  if len(far) <= ROC_POINTS:
    chosen = np.arange(len(far))
  return {"far": far[chosen].tolist(), "tar": tar[chosen].tolist(), "threshold": threshold[chosen].tolist()}


def _plain(value):
  """The same with None for numbers that JSON cannot hold."""
  if isinstance(value, dict):
    return {key: _plain(one) for key, one in value.items()}
  if isinstance(value, list):
    return [_plain(one) for one in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value


def summary(scores, probe_identity, gallery_identity, *, gallery_size=None, seed=0, resamples=500):
  """Identification, verification and bits of one attacker, with 95 % intervals over people and the chance levels.

  Args:
    scores: [P, G], as for `scores.checked`.
    probe_identity: int [P].
    gallery_identity: int [G].
    gallery_size: people in the gallery, as for `ranking.hits`; None: G. It changes identification alone.
    seed: of the bootstrap in `roc.intervals`.
    resamples: of the same.

  Returns:
    dict ready for JSON, None for what is not known:
      n_people (in the gallery), n_probes, n_undetected (probes that count as a guess: they or their person's gallery
      face could not be used); rank_1, rank_5, rank_10 as `rates.Rate.as_dict`; cmc, for ranks 1 to at most 50; auc,
      eer, tar_at_far_1e-2, tar_at_far_1e-3, d_prime with value, low, high; bits with value and low, Fano's bound at
      rank 1 and at the lower end of its interval; chance; roc with far, tar, threshold of at most 200 corners.

  Raises:
    ValueError: as `scores.checked`.

  >>> found = summary(np.eye(20), range(20), range(20), resamples=10)
  >>> found["rank_1"]["value"], found["auc"]["value"], round(found["bits"]["value"], 2), round(found["bits"]["low"], 2)
  (1.0, 1.0, 4.32, 3.0)
  """
  return summaries(scores, probe_identity, gallery_identity, [gallery_size], seed=seed, resamples=resamples)[0]


def _summary(scores, probe_identity, gallery_identity, gallery_size, verified):
  whole, mate = checked(scores, probe_identity, gallery_identity)
  given = (whole, probe_identity, gallery_identity)
  n = gallery_size or whole.shape[1]
  ranks = {f"rank_{k}": ranking.rank_rate(*given, min(k, n), gallery_size).as_dict() for k in RANKS}
  return _plain(
    {"n_people": n, "n_probes": len(mate), "n_undetected": int(np.isnan(whole[np.arange(len(mate)), mate]).sum())}
    | ranks
    | {"cmc": ranking.cmc(*given, min(CMC_RANKS, n), gallery_size).tolist()}
    | {
      "bits": {
        "value": ranking.bits_leaked(ranks["rank_1"]["value"], n),
        "low": ranking.bits_leaked(ranks["rank_1"]["low"], n),
      },
      "chance": chance(n),
    }
    | verified
  )


def summaries(scores, probe_identity, gallery_identity, crowds, *, seed=0, resamples=500):
  """`summary` for every crowd; what does not depend on it is computed once.

  Args:
    scores: [P, G], as for `scores.checked`.
    probe_identity: int [P].
    gallery_identity: int [G].
    crowds: people in the gallery, each in 2 .. G.
    seed: of the bootstrap.
    resamples: of the same.

  Raises:
    ValueError: as `summary`.
  """
  given = (scores, probe_identity, gallery_identity)
  verified = roc.intervals(*given, seed=seed, resamples=resamples)
  verified |= {"roc": _reduced(*roc.roc(*given))}
  return [_summary(*given, gallery_size, verified) for gallery_size in crowds]
