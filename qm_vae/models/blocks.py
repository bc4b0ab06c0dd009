"""Layers that several networks share, each in the form that XLA's CPU backend runs fast.

The plain forms are mathematically the same; the times quoted are of two CPU cores at a batch of 32.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise_conv(x, kernel, stride=1):
  """3x3 convolution of every channel on its own, one zero of padding on each side.

  Args:
    x: [..., H, W, C] float32.
    kernel: [3, 3, 1, C] float32, as `nn.Conv` with `feature_group_count=C` has it.
    stride: 1 or 2, of rows and columns.

  Returns:
    [..., ceil(H/stride), ceil(W/stride), C] float32.
  """
  # As a grouped convolution XLA's CPU backend takes about twenty times as long.
  return sum(window * weight for window, weight in zip(windows(x, stride), kernel.reshape(9, -1), strict=True))


def windows(x, stride=1):
  """The nine zero-padded shifts [..., ceil(H/stride), ceil(W/stride), C] that a 3x3 kernel sees, row by row."""
  h, w = x.shape[-3:-1]
  x = jnp.pad(x, ((0, 0),) * (x.ndim - 3) + ((1, 1), (1, 1), (0, 0)))
  return [x[..., i : i + h : stride, j : j + w : stride, :] for i in range(3) for j in range(3)]


def _depthwise_forward(x, kernel, stride):
  return depthwise_conv(x, kernel, stride), (x, kernel)


def _depthwise_backward(stride, residuals, gradient):
  x, kernel = residuals
  if stride == 1:
    # Written out, the input's gradient is one fused loop; derived, it is nine padded arrays.
    of_input = depthwise_conv(gradient, kernel[::-1, ::-1])
  else:
    of_input = _strided_input_gradient(gradient, kernel, x.shape)
  return of_input, _depthwise_kernel_gradient(x, gradient, stride)


def _strided_input_gradient(gradient, kernel, shape):
  """The input's gradient at stride 2, block of 2x2 pixels by block."""
  # With zeros put between the gradient's pixels it takes 30 ms instead of 5 at 56 x 48 x 128.
  h, w = gradient.shape[-3:-1]
  gradient = jnp.pad(gradient, ((0, 0),) * (gradient.ndim - 3) + ((0, 1), (0, 1), (0, 0)))
  # (output, row of the kernel) that see the first row of block p, where output 0 is p; then those of its second row.
  seen = (((0, 1),), ((0, 2), (1, 0)))
  pixels = [
    sum(gradient[..., i : i + h, j : j + w, :] * kernel[k, m, 0] for i, k in rows for j, m in columns)
    for rows in seen
    for columns in seen
  ]
  return depth_to_space(jnp.concatenate(pixels, -1))[..., : shape[-3], : shape[-2], :]


def _depthwise_kernel_gradient(x, gradient, stride):
  def of_chunk(pair):
    x, gradient = pair
    return jnp.stack([jnp.sum(window * gradient, (0, 1, 2)) for window in windows(x, stride)])

  x, gradient = (a.reshape(-1, *a.shape[-3:]) for a in (x, gradient))
  # A quarter of the batch at a time stays in the cache: 12 ms against 30 ms at 60 x 60 x 16.
  chunks = 4 if len(x) % 4 == 0 else 1
  split = lambda a: a.reshape(chunks, -1, *a.shape[1:])
  return lax.map(of_chunk, (split(x), split(gradient))).sum(0).reshape(3, 3, 1, x.shape[-1])


depthwise_conv.defvjp(_depthwise_forward, _depthwise_backward)


def matmul(x, kernel):
  """[..., C] times [C, F] -> [..., F]."""
  # With several leading axes XLA's CPU backend transposes the output's gradient for the kernel's: 80 ms against 20 at
  # 56 x 48 from 64 to 128 channels.
  return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])


def block_conv(x, kernel):
  """3x3 convolution, stride 1, without padding, computed on blocks of 2x2 pixels.

  A few channels leave the vector units idle; a block of 2x2 pixels has four times as many. The sum is the same with 1.8
  times the products, and forward with input gradient takes 5 ms instead of 9 at 62 x 62 x 8.

  Args:
    x: [B, H, W, C] float32.
    kernel: [3, 3, C, F] float32.

  Returns:
    [B, H - 2, W - 2, F] float32.
  """
  h, w = x.shape[1:3]
  x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
  # Output pixel (i, j) of a block sees rows i .. i + 2 and columns j .. j + 2 of the 4 x 4 pixels of two by two blocks.
  shifted = [[jnp.pad(kernel, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for j in (0, 1)] for i in (0, 1)]
  shifted = jnp.stack([jnp.stack(row, -2) for row in shifted], -3)  # [4, 4, C, 2, 2, F]
  shifted = space_to_depth(shifted.reshape(1, 4, 4, -1))[0].reshape(2, 2, 4 * kernel.shape[2], 4 * kernel.shape[3])
  dimensions = ("NHWC", "HWIO", "NHWC")
  y = lax.conv_general_dilated(space_to_depth(x), shifted, (1, 1), "VALID", dimension_numbers=dimensions)
  return depth_to_space(y)[:, : h - 2, : w - 2]


def space_to_depth(x):
  """[..., H, W, C] -> [..., H/2, W/2, 4 C]; the pixel at row i, column j of a block becomes channel block 2 i + j."""
  *lead, h, w, c = x.shape
  x = x.reshape(*lead, h // 2, 2, w // 2, 2, c)
  return jnp.swapaxes(x, -4, -3).reshape(*lead, h // 2, w // 2, 4 * c)


def depth_to_space(x):
  """[..., H, W, 4 C] -> [..., 2 H, 2 W, C], the inverse of `space_to_depth`."""
  *lead, h, w, c = x.shape
  x = x.reshape(*lead, h, w, 2, 2, c // 4)
  return jnp.swapaxes(x, -4, -3).reshape(*lead, 2 * h, 2 * w, c // 4)


class BlockConv(nn.Module):
  """`block_conv` with a learned kernel, without a bias."""

  features: int

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> [B, H - 2, W - 2, features]."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
    return block_conv(x, kernel)


class SeparableConv(nn.Module):
  """Depthwise 3x3, then pointwise 1x1, without a bias (Chollet 2017)."""

  features: int

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., H, W, features]."""
    channels = x.shape[-1]
    depthwise = self.param("depthwise", nn.initializers.lecun_normal(in_axis=(0, 1)), (3, 3, 1, channels))
    pointwise = self.param("pointwise", nn.initializers.lecun_normal(), (channels, self.features))
    return matmul(depthwise_conv(x, depthwise), pointwise)


class PatchConv(nn.Module):
  """2x2 convolution of stride 2 without a bias, as one matrix product."""

  features: int

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/2), ceil(W/2), features]; an odd side is padded with a zero at its end."""
    h, w, c = x.shape[-3:]
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (4 * c, self.features))
    x = jnp.pad(x, ((0, 0),) * (x.ndim - 3) + ((0, h % 2), (0, w % 2), (0, 0)))
    return matmul(space_to_depth(x), kernel)


class PointwiseConv(nn.Module):
  """1x1 convolution without a bias, of every `stride`-th pixel."""

  features: int
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/stride), ceil(W/stride), features]."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
    return matmul(x[..., :: self.stride, :: self.stride, :], kernel)


def max_pool(x):
  """Largest value of each 3x3 window at stride 2, padding 'SAME' as Keras and TensorFlow have it.

  Args:
    x: [..., H, W, C].

  Returns:
    [..., ceil(H/2), ceil(W/2), C]. Where values tie, the gradient is shared among them.
  """
  # reduce_window's gradient, select_and_scatter, takes 35 ms at 60 x 60 x 16; this takes 2 ms.
  for axis in (-3, -2):
    x = _max_of_three(x, axis % x.ndim)
  return x


def _max_of_three(x, axis):
  size = x.shape[axis]
  half = -(-size // 2)
  before = (2 * half + 1 - size) // 2
  padding = [(0, 0, 0)] * x.ndim
  padding[axis] = (before, 2 * half + 1 - size - before, 0)
  x = lax.pad(x, jnp.array(-jnp.inf, x.dtype), padding)
  first, second, third = (lax.slice_in_dim(x, i, i + 2 * half - 1, 2, axis) for i in range(3))
  return jnp.maximum(jnp.maximum(first, second), third)
