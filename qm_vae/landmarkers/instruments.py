"""The instruments that measure what stays of a face, opened from the folder of a landmark network."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qm_vae import landmarkers
from qm_vae.metrics import face_utility


class Instruments(NamedTuple):
  """Functions of uint8 images [N, S, S, 3]; None where no network was given."""

  find_landmarks: Callable[[np.ndarray], np.ndarray] | None
  features: Callable[[np.ndarray], np.ndarray] | None


def open_instruments(path: str | os.PathLike) -> Instruments:
  """The instruments made of the landmark network in a folder; '' opens those that need none.

  Raises:
    ValueError: for a folder that holds no such network.
  """
  if not path:
    return Instruments(None, None)
  network = landmarkers.load(path)
  return Instruments(landmarkers.on_host(network), landmarkers.features_on_host(network))


def measure(
  instruments: Instruments, original: np.ndarray, output: np.ndarray, eyes: np.ndarray, identity: np.ndarray
) -> dict:
  """The parts `face` and `realism` of a method's row in a report (docs/report.md).

  Args:
    instruments: of `open_instruments`.
    original: uint8 [N, S, S, 3].
    output: the same faces after de-identification.
    eyes: float [N, 4], as in types.Face.
    identity: int [N]; types.UNKNOWN where nobody is known.
  """
  find, features = instruments
  found: dict = {"face": face_utility.face_utility(original, output, eyes, identity, find), "realism": None}
  if features is not None:
    found["realism"] = face_utility.realism_of(original, output, identity, features)
  return found


def floors(instruments: Instruments, original: np.ndarray, eyes: np.ndarray, identity: np.ndarray) -> dict:
  """What the instruments cannot resolve: the originals after each of metrics.floor.DISTURBANCES, and two halves."""
  halves = measure(instruments, original, original, eyes, identity)["realism"]
  found = face_utility.floors(original, eyes, identity, instruments.find_landmarks)
  return {"face": found, "realism": halves, "units": face_utility.UNITS}
