"""The aligned mean against NumPy, and whose faces it averages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS

SIDE = 32
EYES = np.float32(np.multiply(types.AVERAGE_EYES, SIDE))


def face(image, eyes=EYES):
  """A face crop whose mask is all of it."""
  return types.Face(jnp.asarray(image, jnp.float32), jnp.ones((SIDE, SIDE, 1)), jnp.asarray(eyes))


def smooth(count, seed=0):
  """uint8 [count, SIDE, SIDE, 3] of low frequencies, which interpolation keeps."""
  random = np.random.default_rng(seed)
  y, x = np.mgrid[:SIDE, :SIDE] / SIDE
  phase = random.uniform(0, 6, (count, 3, 1, 1))
  return np.moveaxis(127 + 100 * np.sin(3 * x + phase) * np.cos(2 * y + phase), 1, -1).astype(np.uint8)


def test_aligned_mean_of_the_whole_gallery():
  """With k faces in the gallery, placed as the face is, the output is their plain mean."""
  gallery = smooth(5)
  made = DEIDENTIFIERS["aligned_mean"](k=5, light=0.0, context="hide", gallery=gallery, eyes=np.tile(EYES, (5, 1)))
  image = made.apply(made.params, face(np.zeros((SIDE, SIDE, 3))), jax.random.key(0))
  np.testing.assert_allclose(image, gallery.mean(0) / 255, atol=1.5 / 255)  # the aligned gallery is kept in grey levels


def test_aligned_mean_places_the_mean_on_the_eyes():
  """A mark between the gallery's eyes appears between the eyes of a face that is rolled, shrunk and moved."""
  gallery = np.zeros((3, SIDE, SIDE, 3), np.uint8)
  middle = (EYES[:2] + EYES[2:]) / 2
  gallery[:, int(middle[1]) - 1 : int(middle[1]) + 2, int(middle[0]) - 1 : int(middle[0]) + 2] = 255
  made = DEIDENTIFIERS["aligned_mean"](k=3, light=0.0, context="hide", gallery=gallery, eyes=np.tile(EYES, (3, 1)))
  eyes = np.float32([12, 18, 19, 15])
  image = np.asarray(made.apply(made.params, face(np.zeros((SIDE, SIDE, 3)), eyes), jax.random.key(0)))[..., 0]
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
  np.testing.assert_allclose(found, (eyes[:2] + eyes[2:]) / 2, atol=0.6)  # of a mark three pixels wide


def test_aligned_mean_follows_a_landmarker():
  """With a landmark network its eyes count, those of the gallery and of the face, and not the ones that are given."""
  gallery = np.zeros((3, SIDE, SIDE, 3), np.uint8)
  gallery[:, 9:12, 9:12] = 255  # a mark midway between the eyes that the network finds in the gallery
  points = np.zeros((68, 2), np.float32)
  points[36:42], points[42:48] = (6, 10.5), (15, 10.5)
  apply = lambda params, image: jnp.broadcast_to(points, (*image.shape[:-3], 68, 2))
  landmarker = types.Landmarker((), apply, apply)
  nowhere = np.tile(np.float32([1, 1, 2, 1]), (3, 1))
  made = DEIDENTIFIERS["aligned_mean"](
    k=3, light=0.0, context="hide", gallery=gallery, eyes=nowhere, landmarker=landmarker
  )
  image = np.asarray(made.apply(made.params, face(np.zeros((SIDE, SIDE, 3)), nowhere[0]), jax.random.key(0)))[..., 0]
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
  np.testing.assert_allclose(found, (10.5, 10.5), atol=0.6)  # of a mark three pixels wide
  assert made.needs == ()


def test_aligned_mean_takes_faces_of_the_same_answer():
  """Only faces to which the service gives the same answer are averaged, and another key draws others."""
  gallery = np.concatenate([np.full((8, SIDE, SIDE, 3), 40 + i, np.uint8) for i in range(3)])
  gallery = np.concatenate([gallery, 255 - gallery])  # 24 dark faces, then 24 bright ones
  bright = types.Service(
    (), lambda params, x: jnp.stack([0.5 - x.mean((-3, -2, -1)), x.mean((-3, -2, -1)) - 0.5], -1), ()
  )
  options = {"gallery": gallery, "eyes": np.tile(EYES, (48, 1)), "service": bright}
  made = DEIDENTIFIERS["aligned_mean"](k=3, light=0.0, context="hide", **options)
  for level, low, high in ((0.2, 0.0, 0.5), (0.9, 0.5, 1.0)):
    images = [made.apply(made.params, face(np.full((SIDE, SIDE, 3), level)), jax.random.key(i)) for i in range(6)]
    assert all(low < float(image.mean()) < high for image in images)
    assert len({round(float(image.mean()), 5) for image in images}) > 1
    # An answer that the face comes with counts in place of the service's.
    wanted = jnp.float32([0.4, 0.6] if level < 0.5 else [0.6, 0.4])
    other = face(np.full((SIDE, SIDE, 3), level))._replace(answer=wanted)
    assert not low < float(made.apply(made.params, other, jax.random.key(0)).mean()) < high


def test_aligned_mean_keeps_context_and_light():
  """Outside the oval the original stays bit for bit; inside, its low frequencies come back."""
  gallery = smooth(4, seed=1)
  original = np.float32(smooth(1, seed=2)[0]) / 255
  made = DEIDENTIFIERS["aligned_mean"](k=4, gallery=gallery, eyes=np.tile(EYES, (4, 1)))
  image = np.asarray(made.apply(made.params, face(original), jax.random.key(0)))
  np.testing.assert_array_equal(image[:2], original[:2])
  np.testing.assert_array_equal(image[:, 0], original[:, 0])
  plain = DEIDENTIFIERS["aligned_mean"](k=4, light=0.0, gallery=gallery, eyes=np.tile(EYES, (4, 1)))
  without = np.asarray(plain.apply(plain.params, face(original), jax.random.key(0)))
  inner = np.s_[8:24, 10:22]
  assert abs(image[inner].mean() - original[inner].mean()) < 0.5 * abs(without[inner].mean() - original[inner].mean())


def test_aligned_mean_needs_enough_faces():
  """Fewer faces than k are refused by number."""
  with pytest.raises(ValueError, match="k is 10, but the gallery has 3 faces"):
    DEIDENTIFIERS["aligned_mean"](gallery=smooth(3), eyes=np.tile(EYES, (3, 1)))
