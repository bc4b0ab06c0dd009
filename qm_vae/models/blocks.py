"""Layers that several networks share, each in the form that XLA's CPU backend runs fast.

The plain forms are mathematically the same; the times quoted are of two CPU cores at a batch of 32.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_vjp
def depthwise_conv(x, kernel):
  """3x3 convolution of every channel on its own, stride 1, zero padding 'SAME'.

  Args:
    x: [..., H, W, C] float32.
    kernel: [3, 3, 1, C] float32, as `nn.Conv` with `feature_group_count=C` has it.

  Returns:
    [..., H, W, C] float32.
  """
  # As a grouped convolution XLA's CPU backend takes about twenty times as long.
  return sum(window * kernel[i, j, 0] for i, j, window in _windows(x))


def _windows(x):
  """The nine zero-padded shifts (i, j, [..., H, W, C]) that a 3x3 kernel sees."""
  h, w = x.shape[-3:-1]
  x = jnp.pad(x, ((0, 0),) * (x.ndim - 3) + ((1, 1), (1, 1), (0, 0)))
  return [(i, j, x[..., i : i + h, j : j + w, :]) for i in range(3) for j in range(3)]


def _depthwise_forward(x, kernel):
  return depthwise_conv(x, kernel), (x, kernel)


def _depthwise_backward(residuals, gradient):
  x, kernel = residuals
  # Written out, the input's gradient is one fused loop; derived, it is nine padded arrays.
  return depthwise_conv(gradient, kernel[::-1, ::-1]), _depthwise_kernel_gradient(x, gradient)


def _depthwise_kernel_gradient(x, gradient):
  def of_chunk(pair):
    x, gradient = pair
    return jnp.stack([jnp.sum(window * gradient, (0, 1, 2)) for _, _, window in _windows(x)])

  h, w, c = x.shape[-3:]
  x, gradient = x.reshape(-1, h, w, c), gradient.reshape(-1, h, w, c)
  # A quarter of the batch at a time stays in the cache: 12 ms against 30 ms at 60 x 60 x 16.
  chunks = 4 if len(x) % 4 == 0 else 1
  split = lambda a: a.reshape(chunks, -1, h, w, c)
  return lax.map(of_chunk, (split(x), split(gradient))).sum(0).reshape(3, 3, 1, c)


depthwise_conv.defvjp(_depthwise_forward, _depthwise_backward)


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
    return depthwise_conv(x, depthwise) @ pointwise


class PatchConv(nn.Module):
  """2x2 convolution of stride 2 without a bias, as one matrix product."""

  features: int

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/2), ceil(W/2), features]; an odd side is padded with a zero at its end."""
    h, w, c = x.shape[-3:]
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (4 * c, self.features))
    x = jnp.pad(x, ((0, 0),) * (x.ndim - 3) + ((0, h % 2), (0, w % 2), (0, 0)))
    return space_to_depth(x) @ kernel


class PointwiseConv(nn.Module):
  """1x1 convolution without a bias, of every `stride`-th pixel."""

  features: int
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/stride), ceil(W/stride), features]."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
    return x[..., :: self.stride, :: self.stride, :] @ kernel


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
