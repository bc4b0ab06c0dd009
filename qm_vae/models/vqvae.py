"""Encoder and decoder of the VQ-VAE (van den Oord et al. 2017, Sec. 4.1; Qiu et al. 2022, Sec. 4.2).

Two things go past the paper. With `tokens`, a face is described by so many codes in all, without a place, instead of by
one code for every 4 x 4 pixels: what it may tell of a person is then a few bits. With `answers`, the decoder is also
given what the service answered, so that codes need not carry it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from qm_vae.models import winograd
from qm_vae.models.blocks import depth_to_space
from qm_vae.models.presets import Preset

STRIDE = 4
"""Pixels of the crop per code, each way."""
_COARSE = 4  # side of the grid from which tokens are read
_MAP = 8  # side of the learned maps of tokens and answers, whatever the size of the crop


def _conv_3x3(features, dtype, **options):
  return nn.Conv(features, (3, 3), dtype=dtype, conv_general_dilated=winograd.conv_general_dilated, **options)


class ResidualStack(nn.Module):
  """ReLU, 3x3, ReLU, 1x1 and a skip, `preset.residual_blocks` times, then a ReLU: [..., h, w, hidden], same shape."""

  preset: Preset
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    """[..., h, w, hidden], same shape."""
    for _ in range(self.preset.residual_blocks):
      h = _conv_3x3(self.preset.residual_hidden, self.dtype, use_bias=False)(nn.relu(x))
      x = x + nn.Conv(self.preset.hidden, (1, 1), use_bias=False, dtype=self.dtype)(nn.relu(h))
    return nn.relu(x)


class Encoder(nn.Module):
  """Views side by side in the channels [..., H, W, 3 V] in [0, 1] -> z_e.

  z_e is [..., H/4, W/4, code_dim], or [..., tokens, 1, code_dim] where `tokens` is not 0.
  """

  preset: Preset
  code_dim: int
  dtype: jnp.dtype = jnp.float32
  tokens: int = 0

  @nn.compact
  def __call__(self, views):
    """[..., H, W, 3 V] in [0, 1] -> z_e float32."""
    x = views - 0.5
    x = nn.relu(nn.Conv(self.preset.hidden // 2, (4, 4), (2, 2), dtype=self.dtype)(x))
    x = nn.relu(nn.Conv(self.preset.hidden, (4, 4), (2, 2), dtype=self.dtype)(x))
    x = _conv_3x3(self.preset.hidden, self.dtype)(x)
    x = ResidualStack(self.preset, self.dtype)(x)
    if not self.tokens:
      return nn.Conv(self.code_dim, (1, 1), dtype=self.dtype)(x).astype(jnp.float32)
    x = _resized(x, (_COARSE, _COARSE)).reshape(*x.shape[:-3], -1)
    z_e = nn.Dense(self.tokens * self.code_dim, dtype=self.dtype)(x)
    return z_e.reshape(*z_e.shape[:-1], self.tokens, 1, self.code_dim).astype(jnp.float32)


class Decoder(nn.Module):
  """z_q, and what the service answered, -> image [..., 4 h, 4 w, 3] float32 in [0, 1].

  Fields: `grid` is (h, w), needed with `tokens` alone, for then z_q does not tell it; `answers` is the number of
  classes that a service answers with, 0 for an unconditioned decoder.
  """

  preset: Preset
  dtype: jnp.dtype = jnp.float32
  tokens: int = 0
  grid: tuple[int, int] = (0, 0)
  answers: int = 0

  @nn.compact
  def __call__(self, z_q, answer=None):
    """z_q [..., h, w, code_dim] or [..., tokens, 1, code_dim], answer [..., answers] or None, all 0 for an unknown one.

    Returns:
      [..., 4 h, 4 w, 3] float32 in [0, 1].
    """
    x = z_q
    if self.tokens:
      x = nn.Dense(_MAP * _MAP * self.preset.hidden, dtype=self.dtype)(x.reshape(*x.shape[:-3], -1))
      x = _resized(x.reshape(*x.shape[:-1], _MAP, _MAP, self.preset.hidden), self.grid)
    x = _conv_3x3(self.preset.hidden, self.dtype)(x)
    if self.answers:
      # Where a mouth rises depends on the place, so an answer is a picture, not a vector.
      shape = (self.answers, _MAP, _MAP, self.preset.hidden)
      maps = self.param("answer_maps", nn.initializers.normal(0.1), shape)
      condition = jnp.zeros((*x.shape[:-3], self.answers)) if answer is None else answer
      x = x + _resized(jnp.tensordot(condition, maps, 1).astype(self.dtype), x.shape[-3:-1])
    x = ResidualStack(self.preset, self.dtype)(x)
    x = nn.relu(SubPixel(self.preset.hidden // 2, self.dtype)(x))
    x = SubPixel(3, self.dtype)(x)
    return nn.sigmoid(x.astype(jnp.float32))


def _resized(x, size):
  """[..., h, w, C] -> [..., *size, C], linear, averaging where it shrinks."""
  return jax.image.resize(x, (*x.shape[:-3], *size, x.shape[-1]), "linear")


class SubPixel(nn.Module):
  """Doubles height and width: 3x3 convolution to four phases, depth to space (Shi et al. 2016), then a smoothing.

  On XLA's CPU backend the kernel gradient of a transposed convolution takes seven times as long. All four phases
  start from one kernel (Aitken et al. 2017), so that no checkerboard is there to be unlearned, and the fixed smoothing,
  which takes away the frequency of one checker, keeps a service's gradient from drawing one (Kinoshita and Kiya 2020).
  """

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., 2 H, 2 W, features]."""
    phases = _conv_3x3(4 * self.features, self.dtype, kernel_init=_same_in_every_phase)(x)
    return smooth(depth_to_space(phases))


@jax.custom_vjp
def smooth(x):
  """[..., H, W, C] filtered by [1, 2, 1] / 4 along H and W, edges repeated; same shape."""
  for axis in (-3, -2):
    size = x.shape[axis]
    wide = jnp.concatenate(
      [jax.lax.slice_in_dim(x, 0, 1, axis=axis), x, jax.lax.slice_in_dim(x, size - 1, size, axis=axis)], axis=axis
    )
    before, after = (jax.lax.slice_in_dim(wide, i, i + size, axis=axis) for i in (0, 2))
    x = (before + 2 * x + after) / 4
  return x


# With its edges repeated the filter is a symmetric matrix, its own transpose; derived, the gradient takes nine times as
# long.
smooth.defvjp(lambda x: (smooth(x), None), lambda _, gradient: (smooth(gradient),))


def _same_in_every_phase(key, shape, dtype=jnp.float32):
  kernel = nn.initializers.lecun_normal()(key, (*shape[:-1], shape[-1] // 4), dtype)
  return jnp.tile(kernel, (1, 1, 1, 4))


def views_to_channels(views: jax.Array) -> jax.Array:
  """[..., V, H, W, 3] -> [..., H, W, 3 V], the concatenation of Qiu et al. 2022, Fig. 3."""
  v, h, w, c = views.shape[-4:]
  return jnp.moveaxis(views, -4, -2).reshape(*views.shape[:-4], h, w, v * c)
