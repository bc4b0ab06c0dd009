"""The least a program can take: its FLOPs and bytes, counted from shapes, over what this machine was measured to do."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.bench import timing

_MATMUL = 2048  # side of the matrices that measure FLOP/s
_COPY = 64 * 2**20  # float32 numbers that measure bytes/s: far more than a cache holds
# fmt: off
_MOVES = frozenset((
  "broadcast_in_dim", "reshape", "transpose", "concatenate", "pad", "slice", "dynamic_slice", "dynamic_update_slice",
  "gather", "squeeze", "rev", "convert_element_type", "copy", "device_put", "iota", "stop_gradient",
  "bitcast_convert_type", "optimization_barrier", "split",
))
# fmt: on
"""Primitives that move numbers and compute none."""


class Cost(NamedTuple):
  """What a program does, counted from the shapes in it."""

  matrix: float = 0.0  # FLOPs of convolutions and matrix products; zeros of padding and dilation not counted
  other: float = 0.0  # FLOPs of everything else, one for each number computed or reduced
  moved: float = 0.0  # bytes read and written by convolutions and matrix products, each operand and result once

  def __add__(self, other):
    return Cost(*(a + b for a, b in zip(self, other, strict=True)))

  def times(self, count):
    """The cost of doing it `count` times."""
    return Cost(*(count * value for value in self))


class Peak(NamedTuple):
  """What this machine does at best."""

  flops: float  # per second, float32, of a large matrix product
  bytes: float  # per second, read and written, of a large copy


def count(function, *arguments) -> tuple[Cost, float]:
  """(Cost, bytes of arguments and results) of `function(*arguments)`; nothing is run."""
  closed = jax.make_jaxpr(function)(*arguments)
  ends = sum(_bytes(v.aval) for v in (*closed.jaxpr.invars, *closed.jaxpr.outvars))
  return _cost(closed.jaxpr), float(ends)


def seconds(cost: Cost, ends: float, peak: Peak) -> float:
  """The floor: the larger of the time to compute and the time to move."""
  return max((cost.matrix + cost.other) / peak.flops, max(cost.moved, ends) / peak.bytes)


def measure(rounds: int = 7) -> Peak:
  """The machine's best over `rounds` calls of a product of 2048 x 2048 matrices and a copy of 256 MB, both float32."""
  a = jax.random.normal(jax.random.key(0), (_MATMUL, _MATMUL))
  numbers = jnp.zeros(_COPY)
  product, shifted = jax.jit(jnp.matmul), jax.jit(lambda x: x + 1)
  times = timing.in_turns({"product": lambda: product(a, a), "copy": lambda: shifted(numbers)}, rounds)
  best = {name: values.min() / 1e3 for name, values in times.items()}
  return Peak(2 * _MATMUL**3 / best["product"], 2 * numbers.nbytes / best["copy"])


def against(milliseconds: float, cost: Cost, ends: float, peak: Peak) -> dict:
  """The floor of a measured time, ready for JSON."""
  floor = seconds(cost, ends, peak)
  return {
    "gflop": (cost.matrix + cost.other) / 1e9,
    "gflop_of_matrices": cost.matrix / 1e9,
    "gbyte": max(cost.moved, ends) / 1e9,
    "floor_ms": 1e3 * floor,
    "share_of_peak": 1e3 * floor / milliseconds,
  }


def _bytes(aval):
  return aval.size * aval.dtype.itemsize if hasattr(aval, "size") and hasattr(aval.dtype, "itemsize") else 0


def _cost(jaxpr) -> Cost:
  return sum((_of_equation(equation) for equation in jaxpr.eqns), Cost())


def _of_equation(equation) -> Cost:
  name, params = equation.primitive.name, equation.params
  inner = [jaxpr for jaxpr in map(_jaxpr, jax.tree.leaves(params, is_leaf=lambda x: _jaxpr(x) is not None)) if jaxpr]
  if name == "scan":
    return sum(map(_cost, inner), Cost()).times(params["length"])
  if name == "cond":
    return max(map(_cost, inner), key=lambda cost: cost.matrix + cost.other)
  if inner:
    # What a scatter or a reduction does to two numbers is counted as one operation each, not by its body.
    if name.startswith(("scatter", "reduce", "custom_lin")):
      return Cost(other=_size(equation.invars[-1]))
    return sum(map(_cost, inner), Cost())
  moved = sum(_bytes(v.aval) for v in (*equation.invars, *equation.outvars))
  if name == "dot_general":
    return Cost(matrix=_of_product(equation), moved=moved)
  if name == "conv_general_dilated":
    return Cost(matrix=_of_convolution(equation), moved=moved)
  if name in _MOVES or not equation.outvars or not jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating):
    return Cost()
  computed = equation.invars if name.startswith("reduce") else equation.outvars
  return Cost(other=_size(computed[0]))


def _jaxpr(value):
  """The jaxpr that a parameter of an equation is or holds, or None."""
  value = getattr(value, "jaxpr", value)
  return value if hasattr(value, "eqns") else None


def _size(variable):
  return float(getattr(variable.aval, "size", 0))


def _of_product(equation):
  (contracted, _), _ = equation.params["dimension_numbers"]
  shape = equation.invars[0].aval.shape
  return 2.0 * _size(equation.outvars[0]) * np.prod([shape[axis] for axis in contracted])


def _of_convolution(equation):
  """2 x the pairs of an input and a kernel number that meet; those that meet padding or dilation are not counted."""
  params = equation.params
  numbers, (x, kernel), (y,) = params["dimension_numbers"], equation.invars, equation.outvars
  pairs = 1.0
  for i, (stride, padding, dilation, spread) in enumerate(
    zip(params["window_strides"], params["padding"], params["lhs_dilation"], params["rhs_dilation"], strict=True)
  ):
    size = x.aval.shape[numbers.lhs_spec[2 + i]]
    taps, places = kernel.aval.shape[numbers.rhs_spec[2 + i]], y.aval.shape[numbers.out_spec[2 + i]]
    place = np.arange(places)[:, None] * stride + np.arange(taps) * spread - padding[0]
    pairs *= np.sum((place >= 0) & (place <= (size - 1) * dilation) & (place % dilation == 0))
  batch, features = (y.aval.shape[numbers.out_spec[i]] for i in (0, 1))
  return 2.0 * pairs * batch * features * kernel.aval.shape[numbers.rhs_spec[1]] / params["batch_group_count"]
