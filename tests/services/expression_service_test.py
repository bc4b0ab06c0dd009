"""The expression service: preprocessing, contract, order of classes."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.io import networks
from qm_vae.services import SERVICES, expression

CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  meta = expression.describe("resnet", 16, CLASSES, options={"widths": (4, 8)})
  variables = jax.jit(expression.network(meta).init)(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))
  directory = tmp_path_factory.mktemp("net")
  networks.save(directory, meta, variables)
  return directory


@pytest.fixture(scope="module")
def service(folder):
  return SERVICES["expression"](folder)


def _images(*shape):
  return np.random.default_rng(0).random(shape, dtype=np.float32)


def test_expression_preprocess_cv2s_grey_linear_resize():
  """Preprocess is cv2s grey and linear resize."""
  image = _images(48, 48, 3)
  expected = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_LINEAR) * 2 - 1
  # cv2 rounds its interpolation weights to 11 bits or computes in float32; 1e-3 is a quarter of a grey level.
  np.testing.assert_allclose(expression.preprocess(image, 64)[..., 0], expected, atol=1e-3)


def test_expression_preprocess_networks_size_only_turns():
  """Preprocess at the networks size only turns grey."""
  image = _images(2, 8, 8, 3)
  expected = (image @ np.float32(expression.LUMA)) * 2 - 1
  np.testing.assert_allclose(expression.preprocess(image, 8)[..., 0], expected, atol=1e-6)


def test_expression_shrinking_averages_instead_skipping():
  """Shrinking averages instead of skipping."""
  checker = np.broadcast_to((np.indices((32, 32)).sum(0) % 2)[..., None], (32, 32, 3)).astype(np.float32)
  inside = expression.preprocess(checker, 8)[1:-1, 1:-1]
  np.testing.assert_allclose(inside, 0, atol=1e-5)  # grey 0.5 everywhere


@pytest.mark.parametrize("shape", [(16, 16, 3), (2, 20, 12, 3), (2, 2, 8, 8, 3)])
def test_expression_any_leading_dimensions_any_size(service, shape):
  """Any leading dimensions and any size."""
  image = _images(*shape)
  logits = service.apply(service.params, image)
  assert logits.shape == (*shape[:-3], len(CLASSES)) and logits.dtype == jnp.float32
  single = image.reshape(-1, *shape[-3:])[0]
  # Float32 round-off through the layers.
  np.testing.assert_allclose(service.apply(service.params, single), logits.reshape(-1, 3)[0], atol=1e-5)


def test_expression_parameters_arguments_images_gradient(service):
  """Parameters are arguments and images have a gradient."""
  image = _images(2, 12, 12, 3)
  loss = lambda params, image: jnp.sum(service.apply(params, image) ** 2)
  gradient = jax.jit(jax.grad(loss, 1))(service.params, image)
  assert gradient.shape == image.shape
  assert float(jnp.abs(gradient).max()) > 0
  zeros = jax.tree.map(np.zeros_like, service.params)
  np.testing.assert_array_equal(service.apply(zeros, image), 0)


def test_expression_reorder(service):
  """Reorder."""
  image = _images(2, 16, 16, 3)
  other = expression.reorder(service, ("c", "a", "b"))
  assert other.classes == ("c", "a", "b")
  np.testing.assert_array_equal(
    other.apply(other.params, image), np.asarray(service.apply(service.params, image))[:, [2, 0, 1]]
  )
  assert expression.reorder(service, CLASSES) is service
  for classes in (("a", "b"), ("a", "b", "d"), ("a", "b", "c", "c")):
    with pytest.raises(ValueError, match="knows a, b, c"):
      expression.reorder(service, classes)


def test_expression_not_fit_refused(folder, tmp_path):
  """What does not fit is refused."""
  meta, variables = networks.load(folder)
  networks.save(tmp_path / "kind", meta | {"kind": "identity"}, variables)
  with pytest.raises(ValueError, match="kind 'identity'"):
    expression.load(tmp_path / "kind")
  networks.save(tmp_path / "classes", meta | {"classes": ["a", "b"]}, variables)
  with pytest.raises(ValueError, match=r"2 arrays do not fit.*logits"):
    expression.load(tmp_path / "classes")
  with pytest.raises(KeyError, match="mini_xception, plain_cnn, resnet"):
    expression.describe("unknown", 16, CLASSES)
