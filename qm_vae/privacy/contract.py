"""The types of the re-identification attacks: the faces they receive, and what an attacker provides."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


@dataclasses.dataclass(frozen=True)
class Pairs:
  """The same faces before and after a method, on the host; `len()` counts faces."""

  original: np.ndarray  # uint8 [N, S, S, 3]
  protected: np.ndarray  # uint8 [N, S, S, 3], the same place of the protected picture
  eyes: np.ndarray  # float32 [N, 4], see Face.eyes, as found in the original
  protected_eyes: np.ndarray  # float32 [N, 4], where attackers take them to be in the protected picture
  identity: np.ndarray  # int32 [N]
  name: tuple[str, ...]
  pixels: np.ndarray  # uint8 [N, h, w, 3], the protected pictures as stored, not resized, at one size
  codes: np.ndarray | None = None  # int32 [N, h, w], what a quantizer made of the face

  def __len__(self) -> int:
    return len(self.original)

  def take(self, positions) -> "Pairs":
    """The faces at `positions` (integers [M]), in that order."""
    positions = np.asarray(positions, np.int64)
    keys = ("original", "protected", "eyes", "protected_eyes", "identity", "pixels")
    rows = {key: getattr(self, key)[positions] for key in keys}
    codes = None if self.codes is None else self.codes[positions]
    return dataclasses.replace(self, name=tuple(self.name[i] for i in positions), codes=codes, **rows)


class Attack(NamedTuple):
  """A fitted attacker: it scores how alike a gallery face and a protected probe are."""

  scores: Callable[[Pairs, Pairs], np.ndarray]  # (gallery, probe) -> float32 [P, G], higher = more alike
  losses: tuple[float, ...]  # of its training, epoch by epoch; () where nothing is trained
  measures: Callable[[Pairs], dict[str, float]] = lambda probe: {}  # other figures of the probes, by name


class Attacker(NamedTuple):
  """A re-identification attack on protected faces, before it is fitted; members of registry ATTACKERS return one."""

  fit: Callable[[Pairs], Attack]  # from faces of people who are not in the evaluation
  gallery: str  # clear | protected: what it compares a protected face with
  unmet_requirements: Callable[[Pairs], str]  # why these training faces do not allow it; '' where they do
  recognises: bool = True  # whether it compares embeddings of the recogniser it is given
  trains: bool = False  # whether `fit` trains a network
