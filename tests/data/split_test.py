import numpy as np
import pytest

from qm_vae import types
from qm_vae.data import split


def test_split_order():
  """By order."""
  train, test = split.by_order(1000, 0.8)
  np.testing.assert_array_equal(train, np.arange(800))
  np.testing.assert_array_equal(test, np.arange(800, 1000))


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_split_no_side_empty(fraction):
  """No side is empty."""
  assert all(len(side) for side in split.by_order(3, fraction))
  assert all(len(side) for side in split.by_identity(np.array([0, 1, 1]), fraction, 0))


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
def test_split_identity(fraction):
  """By identity."""
  identity = np.random.default_rng(0).integers(-1, 60, 400)
  train, test = split.by_identity(identity, fraction, seed=1)
  np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(400))
  assert not (set(identity[train]) & set(identity[test])) - {types.UNKNOWN}
  # A whole person is the step, so that the share is met within half the largest person.
  assert abs(len(train) - 400 * fraction) <= np.bincount(identity[identity >= 0]).max() / 2
  for again, first in zip(split.by_identity(identity, fraction, seed=1), (train, test), strict=True):
    np.testing.assert_array_equal(again, first)
  assert not np.array_equal(split.by_identity(identity, fraction, seed=2)[0], train)


def test_split_unknown_people_each_own():
  """Unknown people are each their own."""
  train, test = split.by_identity(np.full(10, types.UNKNOWN), 0.7, seed=0)
  assert (len(train), len(test)) == (7, 3)


def test_split_errors():
  """Errors."""
  with pytest.raises(ValueError, match="train_fraction is 1"):
    split.by_order(10, 1)
  with pytest.raises(ValueError, match="cannot split 1 faces"):
    split.by_order(1, 0.5)
  with pytest.raises(ValueError, match="cannot split 1 people"):
    split.by_identity(np.array([4, 4, 4]), 0.5, 0)
  with pytest.raises(ValueError, match="cannot split 0 people"):
    split.by_identity(np.array([], np.int32), 0.5, 0)


def test_split_drop_duplicates():
  """Drop duplicates."""
  images = np.arange(6 * 12, dtype=np.uint8).reshape(6, 2, 2, 3)
  images[4], images[5] = images[1], images[3]
  kept, dropped = split.drop_duplicates(images, np.array([0, 1]), np.array([5, 4, 3, 2]))
  np.testing.assert_array_equal(kept, [5, 3, 2])  # 5 equals 3, but both only test
  np.testing.assert_array_equal(dropped, [4])
