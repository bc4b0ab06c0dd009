"""A network from code indices to an embedding."""

import flax.linen as nn
import jax.numpy as jnp


class CodeEmbedder(nn.Module):
  """Every code a learned vector, every place a learned bias, then convolutions of stride 2 down to one vector."""

  num_codes: int
  dim: int = 128
  width: int = 64

  @nn.compact
  def __call__(self, codes, train: bool = False):
    """int [B, h, w] in [0, num_codes) -> [B, dim]."""
    x = nn.Embed(self.num_codes, self.width, name="code")(codes)
    x = x + self.param("place", nn.initializers.zeros, (*codes.shape[1:], self.width))
    for i in (1, 2):
      x = nn.Conv(self.width * 2**i, (3, 3), (2, 2), use_bias=False, name=f"conv_{i}")(x)
      x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9, name=f"norm_{i}")(x))
    # Flattened, not averaged: where in the face a code stands matters.
    return nn.Dense(self.dim, name="embedding")(jnp.reshape(x, (len(x), -1)))
