import jax
import numpy as np
import pytest

from qm_vae import types
from qm_vae.data import batches


def _faces(num):
  rng = np.random.default_rng(0)
  return types.FaceSet(
    image=rng.integers(0, 256, (num, 4, 4, 3), np.uint8),
    mask=rng.integers(0, 2, (num, 4, 4, 1), np.uint8),
    eyes=rng.random((num, 4), np.float32),
    box=np.zeros((num, 3), np.float32),
    identity=np.arange(num, dtype=np.int32),
    label=np.full(num, types.UNKNOWN, np.int32),
    index=np.arange(num, dtype=np.int32),
    name=tuple(map(str, range(num))),
    classes=(),
    identities=tuple(map(str, range(num))),
    missed=(),
  )


def test_batches_training_drops_remainder():
  """Training drops the remainder."""
  faces = _faces(10)
  made = list(batches.batches(faces, np.array([9, 3, 5, 7, 1, 0, 2]), 3, pad=False))
  assert [batch["identity"].tolist() for batch in made] == [[9, 3, 5], [7, 1, 0]]
  for batch in made:
    assert {key: (value.shape, value.dtype) for key, value in batch.items()} == {
      "image": ((3, 4, 4, 3), np.uint8),
      "mask": ((3, 4, 4, 1), np.uint8),
      "eyes": ((3, 4), np.float32),
      "identity": ((3,), np.int32),
      "label": ((3,), np.int32),
      "_mask": ((3,), np.float32),
    }
    np.testing.assert_array_equal(batch["_mask"], 1)
    np.testing.assert_array_equal(batch["image"], faces.image[batch["identity"]])


def test_batches_evaluation_pads_first():
  """Evaluation pads with the first."""
  *_, last = batches.batches(_faces(10), np.arange(10), 4, pad=True)
  assert last["identity"].tolist() == [8, 9, 8, 8]
  np.testing.assert_array_equal(last["_mask"], [1, 1, 0, 0])
  np.testing.assert_array_equal(last["image"][2], last["image"][0])


@pytest.mark.parametrize("num, batch_size, count", [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2)])
def test_batches_every_face_counts_once(num, batch_size, count):
  """Every face counts once."""
  made = list(batches.batches(_faces(6), np.arange(num), batch_size, pad=True))
  assert len(made) == count
  assert sum(batch["_mask"].sum() for batch in made) == num


def test_batches_errors_come_before_first_batch():
  """Errors come before the first batch."""
  with pytest.raises(ValueError, match="3 examples do not fill one batch of 4"):
    batches.batches(_faces(3), np.arange(3), 4, pad=False)
  with pytest.raises(ValueError, match="batch_size is 0"):
    batches.batches(_faces(3), np.arange(3), 0, pad=True)


def test_batches_epoch_order():
  """Epoch order."""
  order = batches.epoch_order(50, seed=3, epoch=7)
  np.testing.assert_array_equal(np.sort(order), np.arange(50))
  np.testing.assert_array_equal(order, batches.epoch_order(50, seed=3, epoch=7))
  assert not np.array_equal(order, batches.epoch_order(50, seed=3, epoch=8))
  assert not np.array_equal(order, batches.epoch_order(50, seed=4, epoch=7))


def test_batches_face():
  """To face."""
  (batch,) = batches.batches(_faces(2), np.arange(2), 2, pad=False)
  face = jax.jit(batches.to_face)(batch)
  assert face.image.dtype == face.mask.dtype == face.eyes.dtype == np.float32
  # One rounding of a division in float32, however the compiler writes it.
  np.testing.assert_allclose(face.image, batch["image"] / 255, rtol=2**-22)
  assert float(face.image.max()) <= 1
  np.testing.assert_array_equal(face.mask, batch["mask"])
