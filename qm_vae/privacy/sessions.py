"""Recognition between two pictures of one session against recognition between two of different sessions."""

from collections.abc import Iterable, Mapping

import numpy as np

from qm_vae import types
from qm_vae.privacy import contract, protocol, untrained
from qm_vae.privacy.attackers import Tools
from qm_vae.privacy.protocol import Protocol

KINDS = ("same", "different")


def choose(identity: np.ndarray, session: np.ndarray, chosen: Protocol, seed: int) -> dict[str, Protocol]:
  """A gallery and a probe of each attacked person of whom two pictures of one session, or of two sessions, exist.

  Args:
    identity: int [N].
    session: int [N], types.UNKNOWN where unknown; sessions of different people may share a number.
    chosen: who is attacked and who teaches.
    seed: of the draws.

  Returns:
    {"same", "different": Protocol}, each person at most once in each.
  """
  random = np.random.default_rng(seed)
  rows = {kind: ([], []) for kind in KINDS}
  for person in identity[chosen.gallery]:
    faces = random.permutation(np.flatnonzero((identity == person) & (session != types.UNKNOWN)))
    for kind in KINDS:
      pair = _first_pair(faces, session, same=kind == "same")
      if pair:
        for side, row in zip(rows[kind], pair, strict=True):
          side.append(row)
  return {kind: Protocol(chosen.attack, *(np.array(side, np.int64) for side in rows[kind])) for kind in KINDS}


def _first_pair(faces, session, same):
  for i, one in enumerate(faces):
    for other in faces[i + 1 :]:
      if (session[one] == session[other]) == same:
        return one, other
  return None


def unmet(by_kind: Mapping[str, Protocol] | None) -> str:
  """Why sessions are not compared; '' where they are. None: no picture's session is known."""
  if by_kind is None:
    return "no session of any picture is known"
  people = {kind: len(one.gallery) for kind, one in by_kind.items()}
  if min(people.values()) >= protocol.MIN_PEOPLE:
    return ""
  return (
    f"{people['same']} attacked people have two pictures of one session, {people['different']} of two sessions; "
    f"each needs {protocol.MIN_PEOPLE}"
  )


def compare(
  pairs: contract.Pairs, by_kind: Mapping[str, Protocol], tools: Mapping[str, Tools], attackers: Iterable[str]
) -> dict:
  """Rank 1 of one method's pictures within sessions and across them, in galleries of the same size.

  Args:
    pairs: all faces under the method.
    by_kind: of `choose`.
    tools: by the recogniser's name.
    attackers: names in ATTACKERS; those that train no network, and untrained.ALWAYS, are tried.

  Returns:
    {"same", "different": untrained.strongest and "people" of the gallery, a random choice of all where there are more}.
  """
  size = min(len(one.gallery) for one in by_kind.values())
  found = {}
  for kind, chosen in by_kind.items():
    scores = untrained.scores(pairs, chosen, tools, attackers)
    identity = pairs.identity[chosen.probe], pairs.identity[chosen.gallery]
    found[kind] = untrained.strongest(scores, *identity, size) | {"people": size}
  return found
