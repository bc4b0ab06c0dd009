"""Which faces train and which test."""

import hashlib

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError


def by_order(num: int, train_fraction: float) -> tuple[np.ndarray, np.ndarray]:
  """The first faces train, the others test (Qiu et al. 2022, Sec. 5.1: 800 and 200 of CelebA's first thousand).

  Args:
    num: how many faces there are, at least 2.
    train_fraction: share of them that trains, in (0, 1); rounded so that each side holds at least one face.

  Returns:
    Positions int64 [N_train] and [N_test], ascending.

  Raises:
    ValueError: for fewer than two faces or a fraction outside (0, 1).
  """
  _check(num, train_fraction, "faces")
  num_train = min(max(round(num * train_fraction), 1), num - 1)
  return np.arange(num_train), np.arange(num_train, num)


def by_identity(identity: np.ndarray, train_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Whole people train, the others test: nobody stands on both sides.

  People are drawn in a seeded order, and the first of them train: as many as bring the number of training faces nearest
  to the wanted share. A face of unknown identity counts as a person of its own.

  Args:
    identity: integers [N]; types.UNKNOWN where nothing is known.
    train_fraction: share of the faces that trains, in (0, 1).
    seed: of the order of people.

  Returns:
    Positions int64 [N_train] and [N_test], ascending.

  Raises:
    ValueError: for fewer than two people or a fraction outside (0, 1).
  """
  identity = np.array(identity, np.int64)
  unknown = identity == types.UNKNOWN
  identity[unknown] = identity.max(initial=-1) + 1 + np.arange(unknown.sum())
  _, person, faces = np.unique(identity, return_inverse=True, return_counts=True)
  _check(len(faces), train_fraction, "people")
  order = np.random.default_rng(seed).permutation(len(faces))
  distance = np.abs(np.cumsum(faces[order])[:-1] - train_fraction * len(identity))
  train = np.isin(person, order[: np.argmin(distance) + 1])
  return np.flatnonzero(train), np.flatnonzero(~train)


def drop_duplicates(images: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The test positions without those whose image also trains, and those that were dropped.

  Args:
    images: [N, ...] of any type; two are the same when every byte is.
    train: integers [N_train], positions in `images`.
    test: integers [N_test], positions in `images`.

  Returns:
    Kept and dropped positions, int64, each in the order of `test`.
  """
  test = np.asarray(test, np.int64)
  seen = {_content(images[i]) for i in train}
  same = np.array([_content(images[i]) in seen for i in test], bool)
  return test[~same], test[same]


def distinct(images: np.ndarray) -> np.ndarray:
  """Positions int64 of the images [N, ...] without those that are byte for byte an earlier one."""
  first = {}
  for i, image in enumerate(images):
    first.setdefault(_content(image), i)
  return np.fromiter(first.values(), np.int64)


def _content(image):
  return hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()


def _check(num, train_fraction, what):
  if not 0 < train_fraction < 1:
    raise InputError(f"train_fraction is {train_fraction}; it must lie between 0 and 1, both excluded")
  if num < 2:
    raise InputError(f"cannot split {num} {what} into train and test; at least 2 are needed")
