"""What every listed de-identifier promises."""

import functools
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.deidentifiers import _amt_gan as amt_gan_file
from qm_vae.deidentifiers import _ugatit as ugatit_file
from qm_vae.io import networks
from qm_vae.models import amt_gan, ugatit
from tests.support.landmarks import frontal

HEIGHT, WIDTH = 40, 37  # neither divides by the usual block
# Compiled code may fuse and reorder sums; the steepest filter (the cartoon's lines, about 50 per unit, times its gain
# near black, up to 20) turns a rounding of 6e-8 into about 6e-5.
ROUNDING = 1e-4


def faces(count, seed=0):
  """Random faces [count, ...] with random masks of about two thirds."""
  random = np.random.default_rng(seed)
  image = random.random((count, HEIGHT, WIDTH, 3), np.float32)
  mask = (random.random((count, HEIGHT, WIDTH, 1)) < 0.67).astype(np.float32)
  eyes = np.tile(np.float32([12.3, 15.1, 25.2, 16.4]), (count, 1)) + random.random((count, 4), np.float32)
  return types.Face(jnp.asarray(image), jnp.asarray(mask), jnp.asarray(eyes))


@functools.cache
def made(name):
  """The de-identifier with its defaults; what has no meaning without a network or a gallery gets a small one."""
  if name == "k_same":
    return DEIDENTIFIERS[name](k=2, gallery=np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8))
  if name == "aligned_mean":
    gallery = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    return DEIDENTIFIERS[name](k=2, gallery=gallery, eyes=np.tile(np.float32([5, 6, 11, 6]), (6, 1)))
  if name == "warped_mean":
    gallery = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    find = lambda params, image: (
      jnp.broadcast_to(frontal(32), (*image.shape[:-3], 68, 2)) + image.mean((-3, -2))[..., None, :2]
    )
    deidentifier = DEIDENTIFIERS[name](k=2, gallery=gallery, landmarker=types.Landmarker((), find, find))
    return deidentifier._replace(apply=jax.jit(deidentifier.apply))
  if name not in ("amt_gan", "ugatit_network"):
    return DEIDENTIFIERS[name]()
  random, size = np.random.default_rng(0), 16
  if name == "amt_gan":
    meta, shapes = amt_gan_file.describe(size, channels=2), amt_gan.shapes(amt_gan.Generator(2), size)
  else:
    meta = ugatit_file.describe(size, channels=2, blocks=1)
    picture = jax.ShapeDtypeStruct((1, size, size, 3), np.float32)
    shapes = jax.eval_shape(ugatit.Generator(**meta["options"]).init, jax.random.key(0), picture)
  variables = jax.tree.map(lambda x: 0.3 * random.standard_normal(x.shape).astype(np.float32), shapes)
  if name == "amt_gan":
    reference = random.integers(0, 256, (size, size, 3), np.uint8)
    variables |= {"reference": amt_gan_file.reference_of(reference, np.float32([5, 6, 11, 6]))}
  with tempfile.TemporaryDirectory() as folder:
    networks.save(folder, meta, variables)
    deidentifier = DEIDENTIFIERS[name.removesuffix("_network")](checkpoint=folder)
  return deidentifier._replace(apply=jax.jit(deidentifier.apply))  # one program, not one for every operation


NAMES = (*DEIDENTIFIERS.names(), "ugatit_network")


def one(batch, i):
  return jax.tree.map(lambda x: x[i], batch)


class ContractTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_deidentifier_keeps_shape_range_outside(self, name):
    """Keeps shape range and the outside."""
    deidentifier = made(name)
    face = one(faces(1), 0)
    image = deidentifier.apply(deidentifier.params, face, jax.random.key(0))
    self.assertEqual(image.shape, (HEIGHT, WIDTH, 3))
    self.assertEqual(image.dtype, jnp.float32)
    self.assertTrue(np.all((image >= 0) & (image <= 1)))
    outside = np.broadcast_to(face.mask == 0, image.shape)
    self.assertGreater(outside.sum(), 100)
    np.testing.assert_array_equal(np.asarray(image)[outside], np.asarray(face.image)[outside])

  @parameterized.parameters(*(name for name in NAMES if name != "identity"))
  def test_deidentifier_changes_inside(self, name):
    """Changes the inside."""
    deidentifier = made(name)
    face = one(faces(1), 0)
    image = deidentifier.apply(deidentifier.params, face, jax.random.key(0))
    self.assertGreater(float(jnp.max(jnp.abs(image - face.image))), 0.05)

  @parameterized.parameters(*NAMES)
  def test_deidentifier_reads_nothing_outside(self, name):
    """Reads nothing outside."""
    deidentifier = made(name)
    face = one(faces(1), 0)
    other = face._replace(image=jnp.where(face.mask > 0, face.image, 1 - face.image))
    images = [deidentifier.apply(deidentifier.params, f, jax.random.key(0)) for f in (face, other)]
    np.testing.assert_array_equal(*(np.asarray(image * face.mask) for image in images))

  @parameterized.parameters(*NAMES)
  def test_deidentifier_jit_vmap_equal_eager(self, name):
    """Jit and vmap equal eager."""
    deidentifier = made(name)
    batch, keys = faces(2), jax.random.split(jax.random.key(3), 2)
    compiled = jax.jit(jax.vmap(deidentifier.apply, (None, 0, 0)))(deidentifier.params, batch, keys)
    for i in range(2):
      eager = deidentifier.apply(deidentifier.params, one(batch, i), keys[i])
      np.testing.assert_allclose(compiled[i], eager, rtol=0, atol=ROUNDING)

  @parameterized.parameters(*NAMES)
  def test_deidentifier_same_key_same_image_pure(self, name):
    """Same key same image and pure."""
    deidentifier = made(name)
    face = one(faces(1), 0)
    before = np.array(face.image)
    images = [deidentifier.apply(deidentifier.params, face, jax.random.key(5)) for _ in range(2)]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(before, face.image)

  @parameterized.parameters(*NAMES)
  def test_deidentifier_uniform_extremes_empty_masks_stay(self, name):
    """Uniform extremes and empty masks stay finite."""
    deidentifier = made(name)
    for level in (0.0, 1.0):
      for mask in (0.0, 1.0):
        face = one(faces(1), 0)
        face = face._replace(image=jnp.full_like(face.image, level), mask=jnp.full_like(face.mask, mask))
        image = deidentifier.apply(deidentifier.params, face, jax.random.key(0))
        self.assertTrue(np.all((image >= 0) & (image <= 1)), (level, mask))

  @parameterized.parameters(
    ("mosaic", {"block": 0}),
    ("mosaic", {"block": 2.5}),
    ("laplace", {"scale": 0}),
    ("laplace", {"scale": float("nan")}),
    ("blindfold", {"height": -1}),
    ("blur", {"sigma": 0}),
    ("cartoon", {"levels": 1}),
    ("cartoon", {"ink": 1.5}),
    ("k_same", {"k": 1}),
    ("k_same", {"gallery": None}),
    ("aligned_mean", {"gallery": None}),
    ("aligned_mean", {"k": 0}),
    ("aligned_mean", {"context": "other"}),
    ("warped_mean", {"k": 1}),
    ("warped_mean", {"light": "other"}),
    ("amt_gan", {"checkpoint": ""}),
    ("dp_pixel", {"block": 0}),
    ("dp_pixel", {"pixels": 0.5}),
    ("dp_pixel", {"epsilon": 0}),
  )
  def test_deidentifier_options_out_range_refused_name(self, name, options):
    """Options out of range are refused by name."""
    (option,) = options
    with self.assertRaisesRegex(ValueError, f"{name}: {option}"):
      DEIDENTIFIERS[name](**options)


if __name__ == "__main__":
  absltest.main()
