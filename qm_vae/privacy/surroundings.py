"""Whether the face in a protected picture tells anything about the person that its surroundings do not tell."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from qm_vae import types
from qm_vae.metrics import face_region, paired
from qm_vae.privacy import contract, ranking, untrained
from qm_vae.privacy.attackers import Tools
from qm_vae.privacy.protocol import Protocol

GREY = 128
"""Level of the oval that takes the face's place."""


def without_face(pairs: contract.Pairs) -> contract.Pairs:
  """The same faces, the oval from brow to chin of each protected one in one grey; hair, ears and background stay."""
  image = pairs.protected.copy()
  height, width = image.shape[1:3]
  for one, eyes in zip(image, pairs.eyes, strict=True):
    sound = np.isfinite(eyes).all() and np.hypot(*(eyes[2:] - eyes[:2])) >= 2  # pixels
    where = eyes if sound else np.multiply(types.AVERAGE_EYES, (width, height) * 2)
    one[face_region.radius(where, (height, width)) <= 1] = GREY
  return dataclasses.replace(pairs, protected=image, pixels=image, codes=None)


def compare(pairs: contract.Pairs, chosen: Protocol, tools: Mapping[str, Tools], attackers: Iterable[str]) -> dict:
  """Rank 1 of one method's pictures against rank 1 of the same with the face's oval blanked.

  Each side has its strongest attacker of those that train no network, fitted on pictures of its own kind. The test is
  exact and two-sided; it takes each person's first probe, and a tie counts as a success where more than half of its
  orders name the person.

  Args:
    pairs: all faces under the method.
    chosen: who is attacked and who teaches.
    tools: by the recogniser's name.
    attackers: names in ATTACKERS.

  Returns:
    {"output", "blanked": as `untrained.strongest`, "test": as `paired.mcnemar`, the output first}.
  """
  gallery, probe = pairs.identity[chosen.gallery], pairs.identity[chosen.probe]
  _, first = np.unique(probe, return_index=True)
  found, hits = {}, {}
  for name, one in (("output", pairs), ("blanked", without_face(pairs))):
    scores = untrained.scores(one, chosen, tools, attackers)
    found[name] = untrained.strongest(scores, probe, gallery)
    best = scores[found[name]["attacker"], found[name]["embedder"]]
    hits[name] = ranking.hits(best, probe, gallery, 1)[first] > 0.5
  return found | {"test": paired.mcnemar(hits["output"], hits["blanked"])}
