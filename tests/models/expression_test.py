"""The expression networks and the layers they are made of."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qm_vae.models import blocks
from qm_vae.models.expression import EXPRESSION_NETWORKS

# Float32 sums of up to 9 * 8 products of size 1 in another order: 72 * 2**-24 * a few.
SUM_ORDER = {"rtol": 1e-5, "atol": 2e-5}
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def _normal(seed, *shape):
  return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _grouped(x, kernel, stride=1):
  # One zero on each side, also where 'SAME' would pad the end alone.
  return lax.conv_general_dilated(
    x, kernel, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=DIMENSIONS, feature_group_count=x.shape[-1]
  )


def _strided_depthwise(x, kernel):
  return blocks.depthwise_conv(x, kernel, 2)


def _strided_grouped(x, kernel):
  return _grouped(x, kernel, 2)


def _plain(x, kernel):
  return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=DIMENSIONS)


@pytest.mark.parametrize(
  "fast, plain, x, kernel",
  [
    (blocks.depthwise_conv, _grouped, (4, 6, 5, 3), (3, 3, 1, 3)),  # the kernel gradient in four chunks
    (blocks.depthwise_conv, _grouped, (3, 5, 6, 2), (3, 3, 1, 2)),  # and in one
    (_strided_depthwise, _strided_grouped, (4, 6, 5, 3), (3, 3, 1, 3)),
    (_strided_depthwise, _strided_grouped, (3, 7, 8, 2), (3, 3, 1, 2)),
    (blocks.matmul, lambda x, kernel: x @ kernel, (2, 3, 4, 5), (5, 6)),
    (blocks.block_conv, _plain, (2, 8, 6, 3), (3, 3, 3, 4)),
    (blocks.block_conv, _plain, (2, 7, 9, 1), (3, 3, 1, 2)),  # odd sides
  ],
)
def test_expression_fast_form_equals_convolution_gradients(fast, plain, x, kernel):
  """Fast form equals convolution and its gradients."""
  x, kernel = _normal(0, *x), _normal(1, *kernel)
  weights = _normal(2, *plain(x, kernel).shape)

  def value_and_gradients(f):
    loss = lambda x, kernel: jnp.sum(f(x, kernel) * weights)
    return f(x, kernel), *jax.grad(loss, (0, 1))(x, kernel)

  for found, expected in zip(jax.jit(lambda: value_and_gradients(fast))(), value_and_gradients(plain), strict=True):
    np.testing.assert_allclose(found, expected, **SUM_ORDER)


@pytest.mark.parametrize("side", [4, 7])
def test_expression_max_pool_equals_flax(side):
  """Max pool equals flax."""
  x = _normal(3, 2, side, side + 3, 2)  # both parities, other padding for each
  pool = lambda x: nn.max_pool(x, (3, 3), (2, 2), "SAME")
  np.testing.assert_array_equal(jax.jit(blocks.max_pool)(x), pool(x))
  squares = lambda f: jax.jit(jax.grad(lambda x: jnp.sum(f(x) ** 2)))(x)
  np.testing.assert_array_equal(squares(blocks.max_pool), squares(pool))  # no ties in continuous noise


def test_expression_space_depth_back():
  """Space to depth and back."""
  x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
  y = np.asarray(blocks.space_to_depth(x))
  assert y.shape == (2, 2, 3, 12)
  np.testing.assert_array_equal(y[1, 1, 2, 2 * 3 : 3 * 3], x[1, 3, 4])  # row 1, column 0 of the last block
  np.testing.assert_array_equal(blocks.depth_to_space(y), x)


def test_expression_patch_conv_strided_convolution():
  """Patch conv is a strided convolution."""
  x = _normal(4, 2, 5, 6, 3)
  layer = blocks.PatchConv(4)
  variables = layer.init(jax.random.key(0), x)
  kernel = variables["params"]["kernel"].reshape(2, 2, 3, 4)
  padded = np.pad(x, ((0, 0), (0, 1), (0, 0), (0, 0)))
  expected = lax.conv_general_dilated(padded, kernel, (2, 2), "VALID", dimension_numbers=DIMENSIONS)
  np.testing.assert_allclose(layer.apply(variables, x), expected, **SUM_ORDER)


@pytest.mark.parametrize(
  "name, num_params",
  [("mini_xception", 56_951), ("resnet", 682_207), ("wide_resnet", 1_743_559), ("plain_cnn", 204_119)],
)
def test_contract(name, num_params):
  """Every listed network maps grey images to logits, example by example, and trains its batch statistics."""
  assert name in EXPRESSION_NETWORKS
  network = EXPRESSION_NETWORKS[name](num_classes=7)
  x = _normal(5, 3, 32, 32, 1)
  compiled = lambda f: jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})
  variables = compiled(network.init)(jax.random.key(0), x)
  # 56,951 are the public file's trainable tensors (58,423 with the moving averages).
  assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == num_params
  apply = compiled(network.apply)
  logits = apply(variables, x)
  assert logits.shape == (3, 7) and logits.dtype == jnp.float32
  # Inference is blind to the rest of the batch.
  np.testing.assert_array_equal(apply(variables, np.stack([x[0], x[2], x[2]]))[0], logits[0])
  train = compiled(lambda v, x, key: network.apply(v, x, train=True, mutable=["batch_stats"], rngs={"dropout": key}))
  _, changed = train(variables, x, jax.random.key(1))
  moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), variables["batch_stats"], changed["batch_stats"])
  assert all(jax.tree.leaves(moved))


def test_expression_every_network_contract():
  """Every network is in the contract."""
  assert set(EXPRESSION_NETWORKS.names()) == {"mini_xception", "plain_cnn", "resnet", "wide_resnet"}
