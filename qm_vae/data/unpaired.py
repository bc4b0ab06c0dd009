"""Faces of two kinds side by side, of which none belongs to another."""

import dataclasses

import numpy as np

from qm_vae.types import FaceSet


@dataclasses.dataclass(frozen=True)
class Unpaired:
  """Examples of two sets; the smaller one starts again where the larger continues. `len()` counts the larger.

  A batch holds the columns of `first` by their names, and those of `second` with `other_` before them.
  """

  first: FaceSet
  second: FaceSet

  def __len__(self) -> int:
    return max(len(self.first), len(self.second))

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The columns [M, ...] at `positions` [M] in [0, len(self))."""
    other = self.second.batch(positions % len(self.second))
    return self.first.batch(positions % len(self.first)) | {f"other_{name}": column for name, column in other.items()}
