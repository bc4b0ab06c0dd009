"""The yardstick of an audit: what the plain average of aligned strangers leaves of the same faces."""

import numpy as np

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.privacy.contract import Pairs

NAME = "aligned_mean"
FEWEST = 10
"""People who are not attacked, below which there is no yardstick: the faces that are averaged."""

_BATCH = 64  # faces in one compiled program


def missing(pairs: Pairs, attack: np.ndarray) -> str:
  """Why there is no yardstick for these faces; '' where there is one.

  Args:
    pairs: all faces.
    attack: positions of the faces of people who are not attacked, as in protocol.Protocol.
  """
  people = len(np.unique(pairs.identity[attack]))
  return "" if people >= FEWEST else f"averages faces of {FEWEST} people who are not attacked; there are {people}"


def aligned_mean(pairs: Pairs, attack: np.ndarray, seed: int) -> np.ndarray:
  """Every face replaced by the mean of ten others: one original face of each of ten people who are not attacked.

  No service says which faces may be averaged, so they are drawn from all. Someone who is not attacked may be in the
  mean that replaces their own face.

  Args:
    pairs: N faces.
    attack: positions as for `missing`, of FEWEST people or more.
    seed: of the lots.

  Returns:
    uint8 [N, S, S, 3].
  """
  _, first = np.unique(pairs.identity[attack], return_index=True)
  rows = np.asarray(attack)[first]
  deidentify = DEIDENTIFIERS[NAME](k=FEWEST, gallery=pairs.original[rows], eyes=pairs.eyes[rows])
  made = []
  for number, start in enumerate(range(0, len(pairs), _BATCH)):
    chunk = np.minimum(np.arange(start, start + _BATCH), len(pairs) - 1)  # one program for all batches
    made.append(deidentify(pairs.original[chunk], eyes=pairs.eyes[chunk], seed=seed + number))
  return np.concatenate(made)[: len(pairs)]
