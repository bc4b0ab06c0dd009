"""Layers of the embedders against XLA's general convolution; shapes and counts of the networks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qm_vae.models import embedder
from qm_vae.models.embedder import EMBEDDER_NETWORKS

SIZES = {
  "mobilefacenet": (112, 96, 3),
  "small": (64, 64, 3),
  "inception_resnet_v1": (160, 160, 3),
  "ir_resnet": (112, 112, 3),
}


def _input(*shape):
  return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize("h, w", [(8, 6), (7, 5)])
@pytest.mark.parametrize("layer", [embedder.StemConv(4), embedder.DepthwiseConv(), embedder.DepthwiseConv(2)])
def test_embedder_convolutions_equal_general_one(layer, h, w):
  """Convolutions equal the general one."""
  x = _input(2, h, w, 3)
  variables = layer.init(jax.random.key(0), x)
  kernel, stem = variables["params"]["kernel"], isinstance(layer, embedder.StemConv)
  stride = 2 if stem else layer.stride

  def general(x, kernel):
    # PyTorch's padding=1: one zero on each side, also where TensorFlow's 'SAME' would pad the end alone.
    return lax.conv_general_dilated(
      x,
      kernel.reshape(3, 3, 3, 4) if stem else kernel,
      (stride, stride),
      [(1, 1), (1, 1)],
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=1 if stem else 3,
    )

  run = lambda x, kernel: layer.apply({"params": {"kernel": kernel}}, x)
  found, back = jax.vjp(run, x, kernel)
  expected, general_back = jax.vjp(general, x, kernel)
  np.testing.assert_allclose(found, expected, atol=1e-5)  # float32 sums of 27 products of about 1
  for one, other in zip(back(expected), general_back(expected), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_embedder_other_layers():
  """Other layers."""
  x = _input(2, 7, 6, 5)
  kernel, slope = _input(7, 6, 5), np.array([0, 0.25, 1, 2, -1], np.float32)
  found = embedder.GlobalDepthwiseConv().apply({"params": {"kernel": kernel}}, x)
  np.testing.assert_allclose(found, (x * kernel).sum((1, 2)), atol=1e-5)
  found = embedder.PReLU().apply({"params": {"slope": slope}}, x)
  np.testing.assert_allclose(found, np.maximum(x, 0) + slope * np.minimum(x, 0), atol=1e-6)


@pytest.mark.parametrize("name", EMBEDDER_NETWORKS.names())
def test_embedder_shapes(name):
  """Shapes."""
  module = EMBEDDER_NETWORKS[name](embedding_size=24)
  x = jnp.zeros((2, *SIZES[name]))
  variables = jax.eval_shape(module.init, jax.random.key(0), x)
  for train in (False, True):
    found, changed = jax.eval_shape(
      lambda v, train=train: module.apply(v, x, train, mutable=["batch_stats"]), variables
    )
    assert found.shape == (2, 24) and found.dtype == jnp.float32
    assert jax.tree.structure(changed["batch_stats"]) == jax.tree.structure(variables["batch_stats"])


def test_embedder_parameters_places_mobilefacenet():
  """Parameters and places of mobilefacenet."""
  variables = jax.eval_shape(EMBEDDER_NETWORKS["mobilefacenet"]().init, jax.random.key(0), jnp.zeros((1, 112, 96, 3)))
  count = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
  assert count(variables["params"]) == 999_552  # as the public checkpoint
  assert variables["params"]["linear7"]["kernel"].shape == (7, 6, 512)
  kernels = [variables["params"][f"block_{i}_depthwise"]["kernel"].shape[-1] for i in range(15)]
  assert kernels == [128] * 5 + [256] * 7 + [512] + [256] * 2


def test_embedder_small_embedder_trains():
  """Small embedder trains."""
  module = EMBEDDER_NETWORKS["small"](embedding_size=8, widths=(4, 8))
  x = _input(6, 8, 12, 3)
  variables = module.init(jax.random.key(0), x)

  @jax.jit
  def step(params, statistics):
    def loss(params):
      found, changed = module.apply({"params": params, "batch_stats": statistics}, x, True, mutable=["batch_stats"])
      unit = found / jnp.linalg.norm(found, axis=-1, keepdims=True)
      # Three people with two faces each.
      return jnp.mean((unit @ unit.T - np.kron(np.eye(3), np.ones((2, 2)))) ** 2), changed["batch_stats"]

    (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    return jax.tree.map(lambda p, g: p - 0.3 * g, params, gradient), statistics, value

  params, statistics, values = variables["params"], variables["batch_stats"], []
  for _ in range(30):
    params, statistics, value = step(params, statistics)
    values.append(float(value))
  assert values[-1] < values[0] / 2
  # What training saw is what inference uses: the averages have moved towards the batch's.
  assert not np.allclose(statistics["embedding_norm"]["mean"], 0)
  found = module.apply({"params": params, "batch_stats": statistics}, x)
  assert found.shape == (6, 8) and isinstance(module, nn.Module)
