"""Two parts of one dataset whose people have one numbering."""

import dataclasses

import numpy as np

from qm_vae.errors import InputError
from qm_vae.types import UNKNOWN, FaceSet


def of_one_numbering(first: FaceSet, second: FaceSet) -> tuple[FaceSet, FaceSet]:
  """Two parts of one dataset, each of which numbers its own people from 0, with the same number for the same name."""
  names = tuple(sorted({*first.identities, *second.identities}))
  if first.identities == second.identities:
    return first, second
  number = {name: i for i, name in enumerate(names)}

  def renumbered(part):
    own = np.array([number[name] for name in part.identities] + [UNKNOWN], np.int32)  # UNKNOWN, -1, is the last
    return dataclasses.replace(part, identity=own[part.identity], identities=names)

  return renumbered(first), renumbered(second)


def join(first: FaceSet, second: FaceSet) -> FaceSet:
  """The faces of both, of one dataset that numbers its people once; what they missed is listed once."""
  if first.identities != second.identities:
    raise InputError("the faces of two numberings of people; take of_one_numbering first")
  keys = ("image", "mask", "eyes", "box", "identity", "label", "index")
  rows = {key: np.concatenate([getattr(first, key), getattr(second, key)]) for key in keys}
  missed = first.missed if first.missed == second.missed else first.missed + second.missed
  return dataclasses.replace(first, name=first.name + second.name, missed=missed, **rows)
