"""3x3 convolutions with a quarter of the products, for CPUs (Lavin and Gray 2016).

A block of 4 x 4 outputs depends on 6 x 6 inputs. Block and kernel are taken to 36 numbers each, those are multiplied
channel by channel as 36 matrix products, and 4 x 4 outputs taken back: 36 products where the plain form has 144. The
result differs from the plain form's by some 1e-5 of its size in float32, ten times what the order of a sum does.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_TILE = 4  # side of the block of outputs
_INPUT = np.array(
  [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  np.float32,
)
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float32) / np.float32(
  24
)
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float32)
_LEAST = 512  # products of a pixel, input times output channels, from which on it is quicker
_EVERY_AXIS_1 = (1, 1)


def conv_general_dilated(x, kernel, strides, padding, **options):
  """`lax.conv_general_dilated`, which Flax's `nn.Conv` can be given: here where that is quicker, else the plain form.

  Args:
    x: [B, H, W, C].
    kernel: [h, w, C, F].
    strides: of rows and columns.
    padding: as `lax.conv_general_dilated` has it.
    **options: as there.

  Returns:
    [B, H', W', F].
  """
  if not _is_quicker(x, kernel, strides, padding, options):
    return lax.conv_general_dilated(x, kernel, strides, padding, **options)
  return conv_3x3(x, kernel)


def _is_quicker(x, kernel, strides, padding, options):
  plain = all(options.get(key) in (None, 1, _EVERY_AXIS_1) for key in ("lhs_dilation", "rhs_dilation"))
  return (
    jax.default_backend() == "cpu"
    and x.dtype == kernel.dtype == jnp.float32
    and kernel.shape[:2] == (3, 3)
    and tuple(strides) == _EVERY_AXIS_1
    and padding == "SAME"
    and plain
    and options.get("feature_group_count", 1) == 1
    and not (x.shape[1] % _TILE or x.shape[2] % _TILE)
    and kernel.shape[2] * kernel.shape[3] >= _LEAST
  )


def conv_3x3(x, kernel):
  """Convolution at stride 1 with one zero of padding on each side.

  Args:
    x: [B, H, W, C] float32; H and W divide by 4.
    kernel: [3, 3, C, F] float32.

  Returns:
    [B, H, W, F] float32.

  Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", F(4x4, 3x3).
  """
  b, h, w, _ = x.shape
  u = jnp.einsum("ia,abcf,jb->ijcf", _KERNEL, kernel, _KERNEL, precision=lax.Precision.HIGHEST)
  m = lax.dot_general(
    _of_blocks(x), u.reshape(36, *u.shape[2:]), (((2,), (1,)), ((0,), (0,))), precision=lax.Precision.HIGHEST
  )
  m = m.reshape(6, 6, b, h // _TILE, w // _TILE, -1)
  rows = jnp.stack(_combined(_OUTPUT, m))  # [4, 6, B, H/4, W/4, F]
  y = jnp.stack(_combined(_OUTPUT, jnp.moveaxis(rows, 1, 0)), 1)  # [4, 4, B, H/4, W/4, F]
  return y.transpose(2, 3, 0, 4, 1, 5).reshape(b, h, w, -1)


def _of_blocks(x):
  """[B, H, W, C] -> [36, B H/4 W/4, C], the numbers that each overlapping block of 6 x 6 pixels is taken to."""
  _, h, w, c = x.shape
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  rows = jnp.stack(_combined(_INPUT, [x[:, i : i + h - _TILE + 1 : _TILE] for i in range(6)]))
  both = _combined(_INPUT, [rows[:, :, :, j : j + w - _TILE + 1 : _TILE] for j in range(6)])
  return jnp.stack(both, 1).reshape(36, -1, c)


def _combined(matrix, parts):
  """The sums of `parts` that the rows of `matrix` tell, without those of weight 0."""
  # As a matrix product the few rows leave the processor idle, and the parts would have to be copied together.
  return [sum(float(weight) * part for weight, part in zip(row, parts, strict=True) if weight) for row in matrix]
