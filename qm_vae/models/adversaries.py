"""Small networks that the generator is trained against."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Patches(nn.Module):
  """[B, H, W, 3] in [0, 1] -> [B, H/8, W/8], a score for every patch (Isola et al. 2017, Sec. 3.2.2)."""

  hidden: int = 24

  @nn.compact
  def __call__(self, image):
    """[B, H, W, 3] in [0, 1] -> [B, H/8, W/8]."""
    x = 2 * image - 1
    for factor in (1, 2, 4):
      x = nn.leaky_relu(nn.Conv(factor * self.hidden, (4, 4), (2, 2))(x), 0.2)
    return nn.Conv(1, (3, 3))(x)[..., 0]


class Listener(nn.Module):
  """[B, H, W, 3] in [0, 1] -> [B, dim] of length 1: where a recogniser would have put the original."""

  dim: int
  hidden: int = 24

  @nn.compact
  def __call__(self, image):
    """[B, H, W, 3] in [0, 1] -> [B, dim]."""
    x = 2 * image - 1
    for factor in (1, 2, 4, 4):
      x = nn.relu(nn.GroupNorm(num_groups=4)(nn.Conv(factor * self.hidden, (3, 3), (2, 2))(x)))
    x = nn.Dense(self.dim)(x.reshape(len(x), -1))
    return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), -1, keepdims=True) + 1e-12)
