"""Layers of the image-to-image networks that are trained against discriminators, named and computed as in PyTorch."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from qm_vae.models.blocks import depth_to_space

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


class Conv(nn.Module):
  """A convolution padded with zeros or by reflection, optionally with a spectral norm.

  With `spectral` the kernel, seen as a matrix of one row per feature, is divided by its largest singular value, which
  is followed by one power iteration at every call with `update` (Miyato et al. 2018). Its vector `u` lives in the
  collection "spectral"; neither it nor the iteration carries a gradient.
  """

  features: int
  size: int
  stride: int = 1
  padding: int = 0
  reflect: bool = False
  bias: bool = True
  spectral: bool = False
  kernel_init: nn.initializers.Initializer = nn.initializers.variance_scaling(
    1 / 3, "fan_in", "uniform"
  )  # PyTorch's default

  @nn.compact
  def __call__(self, x, update: bool = False):
    """[B, H, W, C] -> [B, (H + 2 padding - size) // stride + 1, the same of W, features]."""
    kernel = self.param("kernel", self.kernel_init, (self.size, self.size, x.shape[-1], self.features))
    if self.spectral:
      kernel = kernel / singular_value(self, kernel, update)
    if self.reflect:
      x = jnp.pad(x, ((0, 0), (self.padding,) * 2, (self.padding,) * 2, (0, 0)), mode="reflect")
    zero = 0 if self.reflect else self.padding
    zeros = [(zero, zero), (zero, zero)]
    x = lax.conv_general_dilated(x, kernel, (self.stride,) * 2, zeros, dimension_numbers=_DIMENSIONS)
    return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


class ConvTranspose(nn.Module):
  """4x4 transposed convolution of stride 2 with one pixel of padding, without a bias.

  Output row 2 i sees the inputs i - 1 and i, row 2 i + 1 the inputs i and i + 1, so that it is a 3x3 convolution to the
  four pixels of a block; the kernel's gradient in the usual form takes XLA's CPU backend many times as long.
  """

  features: int
  kernel_init: nn.initializers.Initializer = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> [B, 2 H, 2 W, features]; the kernel [4, 4, C, features] has PyTorch's order of rows."""
    kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features))
    taps = ((3, 1, None), (None, 2, 0))  # of the 4 rows, what the even and the odd output row give to i - 1, i, i + 1
    zero = jnp.zeros(kernel.shape[2:])
    tap = lambda row, column: zero if row is None or column is None else kernel[row, column]
    phases = [[[tap(r, c) for c in columns] for r in rows] for rows in taps for columns in taps]
    phases = jnp.concatenate([jnp.stack([jnp.stack(row) for row in phase]) for phase in phases], -1)
    return depth_to_space(lax.conv_general_dilated(x, phases, (1, 1), [(1, 1)] * 2, dimension_numbers=_DIMENSIONS))


class InstanceNorm(nn.Module):
  """Every channel of every image at mean 0 and variance 1 (Ulyanov et al. 2016); `affine`: then scaled and shifted."""

  affine: bool = False

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> the same shape."""
    mean, variance = jnp.mean(x, (1, 2), keepdims=True), jnp.var(x, (1, 2), keepdims=True)
    x = (x - mean) * lax.rsqrt(variance + 1e-5)
    if self.affine:
      x = x * self.param("scale", nn.initializers.ones, x.shape[-1:])
      x = x + self.param("bias", nn.initializers.zeros, x.shape[-1:])
    return x


def singular_value(module: nn.Module, kernel, update: bool):
  """The largest singular value of `kernel` [..., features] as a matrix, followed by power iteration.

  Args:
    module: a module that is being applied; its collection "spectral" keeps `u` [features].
    kernel: seen as a matrix with `features` rows.
    update: whether one iteration is made, and kept where the collection is mutable.
  """
  matrix = kernel.reshape(-1, kernel.shape[-1]).T
  start = lambda: _unit(jax.random.normal(module.make_rng("params"), (kernel.shape[-1],)))
  state = module.variable("spectral", "u", start)
  frozen, u = lax.stop_gradient(matrix), state.value
  v = _unit(frozen.T @ u)
  if update:
    u = _unit(frozen @ v)
    if module.is_mutable_collection("spectral"):
      state.value = u
  return u @ matrix @ v


def upsample(x):
  """[B, H, W, C] -> [B, 2 H, 2 W, C], every pixel four times."""
  return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def _unit(x):
  return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)
