"""Whether a privacy table may be believed."""

import math

import numpy as np

from qm_vae.privacy import ranking

CLEAR_SHARE = 0.95
"""Least share of the clear score that the strongest attacker must reach on unprotected pictures."""

WEAK = 0.5
"""A recogniser that names fewer clear pictures than this is warned of."""

_SHUFFLES = 200
_ERRORS = 4.0  # standard errors from chance: once in 16,000 sound tables


def shuffled(scores, probe_identity, gallery_identity, seed: int) -> dict:
  """The rank-1 rate when the gallery's people are dealt anew, which must be chance.

  Args:
    scores: [P, G], as for `scores.checked`.
    probe_identity: int [P].
    gallery_identity: int [G].
    seed: of the shuffles.

  Returns:
    value, the mean of 200 shuffles; chance, 1 / G; ok, whether they differ by no more than four standard errors.
  """
  random = np.random.default_rng(seed)
  found = [
    ranking.hits(scores, probe_identity, random.permutation(gallery_identity), 1).mean() for _ in range(_SHUFFLES)
  ]
  value, chance = float(np.mean(found)), 1 / np.shape(scores)[1]
  error = float(np.std(found, ddof=1)) / math.sqrt(_SHUFFLES)
  return {"value": value, "chance": chance, "ok": abs(value - chance) <= _ERRORS * error + 1e-9}


def judge(methods: list[dict], clear: list[dict]) -> dict:
  """What the controls of a privacy table say.

  On clear pictures the best recogniser must name people more often than a guess, or nothing was measured at all.
  `identity`, the unprotected picture, must be named nearly as often as the frozen recogniser names clear pictures; on
  `blank`, one picture for all, nobody may be named more or less often than by a guess; and where labels are shuffled
  all attackers must be at chance. An attacker that learnt nothing must not look like privacy: it is warned of.

  Args:
    methods: rows of the table with `headline` and `attacks`; identity and blank come first.
    clear: of each recogniser, its `crowds` on clear pictures.
  """
  identity, blank = methods[0]["headline"], [attack for attack in methods[1]["attacks"]]
  best = max((one["crowds"][-1]["rank_1"] for one in clear), key=lambda rate: rate["value"])
  chance, void = 1 / clear[0]["crowds"][-1]["n_people"], []
  if best["low"] <= chance:
    void.append(
      f"clear: the best recogniser names {best['value']:.1%} of clear pictures, no more than a guess would; are faces, "
      "labels and the recogniser's input as they should be?"
    )
  share = identity["rank_1"]["value"] / best["value"] if identity and best["value"] else 0.0
  if share < CLEAR_SHARE:
    void.append(
      f"identity: attackers name {share:.0%} as many unprotected pictures as a frozen recogniser names clear ones; at "
      f"least {CLEAR_SHARE:.0%} are needed"
    )
  worst = max(
    (attack["crowds"][-1]["rank_1"] for attack in blank), key=lambda rate: abs(rate["value"] - chance), default=None
  )
  off = [attack for attack in blank if not _holds(attack["crowds"][-1]["rank_1"], chance)]
  if not blank or off:
    void.append(
      f"blank: {', '.join(map(_called, off))} names people by one picture for all"
      if off
      else "blank: nobody attacked it"
    )
  dealt = [(row["name"], attack) for row in methods for attack in row["attacks"] if not attack["shuffled"]["ok"]]
  void += [f"shuffled labels: {_called(attack)} on {name} is not at chance" for name, attack in dealt]
  return {
    "identity": {"ok": share >= CLEAR_SHARE, "rank_1": identity and identity["rank_1"], "clear": best, "share": share},
    "blank": {"ok": bool(blank) and not off, "rank_1": worst, "chance": chance},
    "clear": {"ok": best["low"] > chance, "rank_1": best, "chance": chance},
    "shuffled": {"ok": not dealt},
    "warnings": _warnings(methods, best),
    "void": void,
  }


def _holds(rate, value):
  return rate["low"] - 1e-9 <= value <= rate["high"] + 1e-9


def _called(attack):
  return attack["attacker"] + (f" with {attack['embedder']}" if attack["embedder"] else "")


def _warnings(methods, clear):
  warnings = []
  if clear["value"] < WEAK:
    warnings.append(f"the best recogniser names only {clear['value']:.0%} of clear pictures: a weak one proves little")
  for row in methods:
    warnings += [
      f"{_called(left)} on {row['name']}: {left['reason']}" for left in row["left_out"] if left.get("diverged")
    ]
    warnings += [
      f"{_called(attack)} on {row['name']}: its loss did not fall, so that it proves nothing"
      for attack in row["attacks"]
      if attack["loss_fell"] is False
    ]
  warnings += [
    f"{_called(attack)} names {attack['crowds'][-1]['rank_1']['value']:.0%} of clear pictures, a frozen recogniser "
    f"{clear['value']:.0%}: a weak attacker"
    for attack in methods[0]["attacks"]
    if attack["losses"] and attack["crowds"][-1]["rank_1"]["value"] < clear["value"] / 2
  ]
  return warnings
