"""Networks that find the 68 landmarks of a face: colour image to places."""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from qm_vae.models.blocks import matmul
from qm_vae.registry import Registry

LANDMARK_NETWORKS = Registry(
  "landmark network",
  {"dense_68": "qm_vae.models.landmarks:Dense68"},
  group="qm_vae.landmark_networks",
)
"""Networks `()` that map an image [B, S, S, 3], normalised to their wish, to places [B, 68, 2], shares of the
side, and with `features=True` to what their last layer sees, [B, D]."""

NUM_LANDMARKS = 68


class Dense68(nn.Module):
  """Four dense blocks of separable convolutions: 0.36 million parameters, 80 MFLOP forward at 112 x 112.

  Source: `FaceLandmark68Net` of face-api.js (Mühler 2018), layer by layer.
  """

  widths: tuple[int, ...] = (32, 64, 128, 256)

  @nn.compact
  def __call__(self, x, features: bool = False):
    """Image [B, 112, 112, 3] -> [B, 68, 2], x and y as shares of the side; with `features` what the last layer sees."""
    for block, width in enumerate(self.widths):
      x = DenseBlock(width, plain_first=block == 0, name=f"dense{block}")(x)
    height, width = x.shape[1:3]
    # The published network averages 7 x 7 windows; at its input size one window covers all that is left.
    x = nn.avg_pool(x, (min(7, height), min(7, width)), strides=(2, 2))
    x = x.reshape(len(x), -1)
    return x if features else nn.Dense(2 * NUM_LANDMARKS, name="fc")(x).reshape(-1, NUM_LANDMARKS, 2)


class DenseBlock(nn.Module):
  """A layer of stride 2 and three more, each of which sees the sum of all before it (Huang et al. 2017, with sums)."""

  width: int
  plain_first: bool = False  # the first layer is a plain convolution

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> [B, ceil(H/2), ceil(W/2), width]."""
    if self.plain_first:
      x = nn.Conv(self.width, (3, 3), 2, padding="SAME", name="conv0")(x)
    else:
      x = SameSeparable(self.width, 2, name="conv0")(x)
    total = nn.relu(x)
    for i in (1, 2, 3):
      total = total + SameSeparable(self.width, name=f"conv{i}")(nn.relu(total))
    return nn.relu(total)


class SameSeparable(nn.Module):
  """Depthwise 3x3, then pointwise 1x1 with a bias; zeros are added as TensorFlow's 'SAME' does.

  The depthwise part is nine shifted products: XLA's grouped convolution takes the CPU about twenty times as long.
  """

  features: int
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> [B, ceil(H/stride), ceil(W/stride), features]."""
    channels = x.shape[-1]
    depthwise = self.param("depthwise", nn.initializers.lecun_normal(in_axis=(0, 1)), (3, 3, channels))
    pointwise = self.param("pointwise", nn.initializers.lecun_normal(), (channels, self.features))
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    return matmul(_depthwise_same(x, depthwise, self.stride), pointwise) + bias


def _depthwise_same(x, kernel, stride):
  sides = x.shape[1:3]
  out = [-(-side // stride) for side in sides]
  total = [max((count - 1) * stride + 3 - side, 0) for count, side in zip(out, sides, strict=True)]
  padding = ((0, 0), *((all_ // 2, all_ - all_ // 2) for all_ in total), (0, 0))
  x = jnp.pad(x, padding)
  taken = 0.0
  for i in range(3):
    for j in range(3):
      limit = (len(x), i + (out[0] - 1) * stride + 1, j + (out[1] - 1) * stride + 1, x.shape[-1])
      taken = taken + lax.slice(x, (0, i, j, 0), limit, (1, stride, stride, 1)) * kernel[i, j]
  return taken
