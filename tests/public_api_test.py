"""What `import qm_vae` promises to notebooks and other packages."""

import doctest
import importlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import qm_vae
from qm_vae.data import synthetic

DOCUMENTED = (
  "qm_vae.audit.arrays",
  "qm_vae.deidentify",
  "qm_vae.evaluate.train",
  "qm_vae.privacy.arrays",
  "qm_vae.quantizers.module",
  "qm_vae.types",
)


def test_exports_are_those_documented():
  """A name is added to or taken from the API here, on purpose."""
  names = {"Config", "audit_arrays", "deidentifiers", "deidentify", "privacy", "quantizers", "train"}
  assert set(qm_vae.__all__) == names
  assert all(getattr(qm_vae, name) is not None for name in names)
  with pytest.raises(AttributeError, match="nothing"):
    _ = qm_vae.nothing


def test_import_brings_no_heavy_library():
  """Importing the package loads neither JAX nor NumPy, so that it costs milliseconds."""
  code = "import sys, qm_vae; print(sorted({'jax', 'numpy', 'cv2', 'flax'} & set(sys.modules)))"
  assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("module", DOCUMENTED)
def test_examples_run(module):
  """The docstrings' examples print what they say."""
  found = doctest.testmod(importlib.import_module(module))
  assert found.attempted > 0 and found.failed == 0


def test_deidentify_takes_every_kind_of_method():
  """A name, a de-identifier and a function hide the same found face; what is outside stays."""
  picture = np.asarray(synthetic.make(num_people=1)[0].image)
  methods = ("solid", qm_vae.deidentifiers.solid(), lambda crop: np.zeros_like(crop))
  made = [qm_vae.deidentify(picture, method) for method in methods]
  assert len(made[0].faces[0]) == 1
  assert (made[0].images != picture).any(-1).mean() > 0.1
  for other in made[1:]:
    np.testing.assert_array_equal(other.images, made[0].images)


def test_deidentify_refuses_a_function_of_another_form():
  """A function that returns no picture of the crop's size hides nothing, and says so."""
  picture = np.asarray(synthetic.make(num_people=1)[0].image)
  with pytest.raises(Exception, match="must return uint8"):
    qm_vae.deidentify(picture, lambda crop: crop[:2])


def test_deidentifier_call_equals_apply():
  """Calling a de-identifier on uint8 crops is its pure function under vmap, with the seed's keys."""
  crops = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
  made = qm_vae.deidentifiers.laplace(scale=20.0)(crops, seed=4)
  assert made.dtype == np.uint8 and made.shape == crops.shape
  np.testing.assert_array_equal(made, qm_vae.deidentifiers.laplace(scale=20.0)(crops, seed=4))
  assert (made != qm_vae.deidentifiers.laplace(scale=20.0)(crops, seed=5)).any()
  half = np.zeros((3, 16, 16, 1))
  half[:, :8] = 1
  kept = qm_vae.deidentifiers.solid()(crops, mask=half)
  np.testing.assert_array_equal(kept[:, 8:], crops[:, 8:])
  assert not kept[:, :8].any()
  np.testing.assert_array_equal(qm_vae.deidentifiers.solid()(crops[0]), np.zeros_like(crops[0]))


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"images": np.zeros((2, 8, 8, 3))}, "float64"),
    ({"images": np.zeros((2, 8, 8, 3), np.uint8), "eyes": np.zeros((1, 4))}, "eyes is"),
  ],
)
def test_deidentifier_call_refuses_other_arrays(arguments, message):
  """Wrong arrays are refused with their shape or type."""
  with pytest.raises(ValueError, match=message):
    qm_vae.deidentifiers.blindfold()(**arguments)


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_vector_quantizer_equals_the_function(codebook):
  """The module gives what quantizers.vq gives, and its codebook moves only while training."""
  z = jax.random.normal(jax.random.key(0), (4, 3, 3, 8))
  module = qm_vae.quantizers.VectorQuantizer(num_codes=6, codebook=codebook)
  variables = module.init(jax.random.key(1), z)
  z_q, aux = module.apply(variables, z, train=False)
  codes = variables["params"]["codebook"] if codebook == "gradient" else variables["batch_stats"]["codebook"].codebook
  np.testing.assert_array_equal(z_q, codes[aux["ids"]])
  distance = np.square(np.asarray(z)[..., None, :] - np.asarray(codes)).sum(-1)
  np.testing.assert_array_equal(aux["ids"], distance.argmin(-1))
  _, updates = module.apply(variables, z, train=True, mutable=["batch_stats"])
  moved = codebook == "ema" and (updates["batch_stats"]["codebook"].codebook != codes).any()
  assert moved == (codebook == "ema")
  gradient = jax.grad(lambda z: module.apply(variables, z)[0].sum())(z)
  np.testing.assert_array_equal(gradient, np.ones_like(z))


def test_identification_takes_several_gallery_pictures():
  """A person's best gallery picture counts, and names serve as identities."""
  gallery = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
  rates = qm_vae.privacy.identification([[0.1, 1.0], [-1.0, 0.1]], gallery, ["a", "b"], ["a", "a", "b"])
  assert rates.rank_1.value == 1.0 and rates.num_people == 2 and rates.chance == 0.5
  with pytest.raises(ValueError, match="'c' has a probe"):
    qm_vae.privacy.identification(gallery[:1], gallery, ["c"], ["a", "a", "b"])
  with pytest.raises(ValueError, match="one person for each"):
    qm_vae.privacy.identification(gallery[:1], gallery, ["a"], ["a", "b"])
