"""FLOPs and bytes counted from shapes, by hand and as XLA counts them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qm_vae.bench import floor, scaling

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def test_floor_product_matrices():
  """A product of matrices."""
  cost, ends = floor.count(lambda a, b: a @ b, jnp.zeros((3, 5)), jnp.zeros((5, 7)))
  assert cost.matrix == 2 * 3 * 5 * 7 and cost.other == 0
  assert cost.moved == ends == 4 * (3 * 5 + 5 * 7 + 3 * 7)


def test_floor_zeros_padding_no_work():
  """Zeros of the padding are no work."""
  conv = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=DIMENSIONS)
  cost, _ = floor.count(conv, jnp.zeros((2, 4, 4, 3)), jnp.zeros((3, 3, 3, 5)))
  # Along one axis the ends see two of three taps: 2 + 3 + 3 + 2 pairs.
  assert cost.matrix == 2 * 2 * 10 * 10 * 3 * 5


@pytest.mark.parametrize("stride", [1, 2])
def test_floor_convolutions_gradients_xla_counts_them(stride):
  """Convolutions and their gradients as xla counts them."""

  def conv(x, k):
    return lax.conv_general_dilated(x, k, (stride, stride), "SAME", dimension_numbers=DIMENSIONS)

  x, k = jnp.zeros((2, 8, 8, 3)), jnp.zeros((4, 4, 3, 5))
  g = jnp.zeros(jax.eval_shape(conv, x, k).shape)

  def with_gradients(x, k, g):
    y, pull = jax.vjp(conv, x, k)
    return y, pull(g)

  for function in (lambda x, k, g: conv(x, k), with_gradients):
    cost, _ = floor.count(function, x, k, g)
    theirs = jax.jit(function).lower(x, k, g).cost_analysis()["flops"]
    assert cost.matrix == theirs


def test_floor_loops_count_every_turn_branches():
  """Loops count every turn and branches the dearest."""

  def turns(a):
    return lax.map(lambda row: jnp.sin(row @ a), a)

  cost, _ = floor.count(turns, jnp.zeros((6, 6)))
  assert (cost.matrix, cost.other) == (6 * 2 * 36, 36)

  def either(a):
    return lax.cond(a[0, 0] > 0, lambda a: a @ a, lambda a: a, a)

  assert floor.count(either, jnp.zeros((6, 6)))[0].matrix == 2 * 6**3


def test_floor_moving_drawing_numbers_not_computing():
  """Moving and drawing numbers is not computing."""
  move = lambda a: jnp.concatenate([a.T.reshape(2, 3), a])
  assert floor.count(move, jnp.zeros((2, 3)))[0] == floor.Cost()
  assert floor.count(lambda a: (a + 1).sum(), jnp.zeros((2, 3)))[0].other == 12  # six sums, and six numbers summed


def test_floor_larger_both_times():
  """The floor is the larger of both times."""
  peak = floor.Peak(flops=100.0, bytes=10.0)
  assert floor.seconds(floor.Cost(matrix=150, other=50), 10, peak) == 2
  assert floor.seconds(floor.Cost(matrix=150), 40, peak) == 4
  found = floor.against(8000, floor.Cost(matrix=150), 40, peak)
  assert found["floor_ms"] == 4000 and found["share_of_peak"] == 0.5


@pytest.mark.parametrize(
  ("power", "name"),
  [(0, "none"), (0.5, "less than linear"), (1, "linear"), (1.5, "more than linear"), (2, "quadratic")],
)
def test_floor_growth_named_power(power, name):
  """Growth is named by its power."""
  values = np.array([1, 2, 4, 8, 16])
  found, message = scaling.growth(values, 3.0 * values**power)
  assert message == name
  np.testing.assert_allclose(found, power, atol=1e-6)
