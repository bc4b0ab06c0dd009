"""Who is attacked, who teaches the attackers, and which picture is compared with which."""

from typing import NamedTuple

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError

MIN_PEOPLE = 10
"""Fewest people that re-identification is measured on; below it an interval says nothing."""

GALLERY_SIZES = (100, 500)
"""People in the gallery of each column of the table."""


class Protocol(NamedTuple):
  """Positions in one set of faces. Nobody who is attacked teaches an attacker."""

  attack: np.ndarray  # int64 [A], faces of the people from whom attackers learn
  gallery: np.ndarray  # int64 [G], one face of each person who is attacked, in a drawn order
  probe: np.ndarray  # int64 [P], other faces of the same people, grouped in the gallery's order


def choose(identity: np.ndarray, *, people: int, probes: int, seed: int, barred: np.ndarray = ()) -> Protocol:
  """Draws who is attacked.

  Only people with two faces or more can be. At most half of all those are, or MIN_PEOPLE where half is fewer, so that
  attackers have others to learn from; everybody known who is not attacked teaches the attackers.

  Args:
    identity: integers [N]; types.UNKNOWN where nobody knows.
    people: how many to attack at most.
    probes: faces per attacked person at most, besides the one in the gallery.
    seed: of every draw.
    barred: positions of faces whose people may teach attackers but not be attacked, such as those who trained a method.

  Raises:
    ValueError: when fewer than `MIN_PEOPLE` can be attacked.
  """
  identity = np.asarray(identity)
  random = np.random.default_rng(seed)
  found, count = np.unique(identity[identity != types.UNKNOWN], return_counts=True)
  several = found[count >= 2]
  free = random.permutation(several[~np.isin(several, identity[np.asarray(barred, np.int64)])])
  chosen = free[: min(people, max(len(several) // 2, MIN_PEOPLE))]
  if len(chosen) < MIN_PEOPLE:
    raise InputError(
      f"{len(free)} people have two faces or more and trained nothing; re-identification needs at least {MIN_PEOPLE}. "
      "Give more images of the same people, or identities where they are missing"
    )
  gallery, probe = [], []
  for person in chosen:
    first, *others = random.permutation(np.flatnonzero(identity == person))
    gallery.append(first)
    probe += others[:probes]
  # A face of nobody known might show one who is attacked.
  attack = np.flatnonzero(~np.isin(identity, chosen) & (identity != types.UNKNOWN))
  return Protocol(attack, np.array(gallery, np.int64), np.array(probe, np.int64))


def several_faces(identity: np.ndarray) -> np.ndarray:
  """Positions of the faces whose person has two or more."""
  found, count = np.unique(identity, return_counts=True)
  return np.flatnonzero((identity != types.UNKNOWN) & np.isin(identity, found[count >= 2]))


def unmet_requirements(identity: np.ndarray, least: int) -> str:
  """Why faces of these people teach nobody who learns from `least` people with two faces or more; '' where they do."""
  people = len(np.unique(identity[several_faces(identity)]))
  return "" if people >= least else f"learns from {people} people with two pictures or more; needs {least}"
