"""The attackers that compare embeddings and train no network, tried in seconds where a further question needs them."""

from collections.abc import Iterable, Mapping

import numpy as np

from qm_vae.metrics.intervals import Rate
from qm_vae.privacy import contract, ranking
from qm_vae.privacy.attackers import ATTACKERS, Tools
from qm_vae.privacy.protocol import Protocol

ALWAYS = ("naive", "linkage")
"""Tried whichever attackers were chosen."""

KINDS = ("model", "audited", "baseline")
"""Kinds of methods that the further questions are asked of."""


def scores(
  pairs: contract.Pairs, chosen: Protocol, tools: Mapping[str, Tools], attackers: Iterable[str]
) -> dict[tuple[str, str], np.ndarray]:
  """{(attacker, recogniser): float64 [P, G]} of ALWAYS and of those chosen that train nothing and can attack.

  Args:
    pairs: all faces under one method.
    chosen: who is attacked and who teaches.
    tools: by the recogniser's name.
    attackers: names in ATTACKERS.
  """
  attack, gallery, probe = (pairs.take(rows) for rows in chosen)
  found = {}
  for name in dict.fromkeys((*ALWAYS, *attackers)):
    for embedder, its in tools.items():
      attacker = ATTACKERS[name](its)
      if attacker.recognises and not attacker.trains and not attacker.unmet_requirements(attack):
        found[name, embedder] = np.asarray(attacker.fit(attack).scores(gallery, probe), np.float64)
  return found


def strongest(found: Mapping[tuple[str, str], np.ndarray], probe, gallery, gallery_size: int | None = None) -> dict:
  """The attack with the highest rank-1 rate: {"attacker", "embedder", "rank_1"}, ready for JSON.

  Args:
    found: of `scores`.
    probe: int [P], identities.
    gallery: int [G].
    gallery_size: as for ranking.hits.
  """
  rates: dict[tuple[str, str], Rate] = {
    who: ranking.rank_rate(one, probe, gallery, 1, gallery_size) for who, one in found.items()
  }
  who = max(rates, key=lambda one: rates[one].value)
  return {"attacker": who[0], "embedder": who[1], "rank_1": rates[who].as_dict()}
