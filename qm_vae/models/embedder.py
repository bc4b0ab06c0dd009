"""Networks that tell faces apart: image in about [-1, 1] to an embedding, not yet of length 1."""

import flax.linen as nn
import jax.numpy as jnp

from qm_vae.models.blocks import PatchConv, PointwiseConv, depthwise_conv, matmul, windows
from qm_vae.registry import Registry

EMBEDDER_NETWORKS = Registry(
  "embedder network",
  {
    "mobilefacenet": "qm_vae.models.embedder:MobileFaceNet",
    "small": "qm_vae.models.embedder:SmallEmbedder",
    "inception_resnet_v1": "qm_vae.models.inception_resnet:InceptionResnetV1",
    "ir_resnet": "qm_vae.models.ir_resnet:IRResNet",
  },
  group="qm_vae.embedder_networks",
)
"""Networks `(embedding_size)` that map (image [B, H, W, 3] in [-1, 1], train) to embeddings [B, embedding_size]."""

# Expansion, channels, how many in a row, stride of the first: the table of Xiaoccer/MobileFaceNet_Pytorch.
_BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class MobileFaceNet(nn.Module):
  """MobileFaceNet: 1.0 million parameters, 400 MFLOP forward at 112 x 96.

  Layer by layer the network of Xiaoccer/MobileFaceNet_Pytorch; `block_3` is its `blocks.3`.

  Source: Chen et al. 2018, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices".
  """

  embedding_size: int = 128

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, H, W, 3] in [-1, 1] -> [B, embedding_size]; `train` uses and updates the batch's statistics."""
    norm = lambda name, x: _norm(train, name)(x)
    x = PReLU(name="conv1_prelu")(norm("conv1_norm", StemConv(64, name="conv1")(x)))
    x = PReLU(name="dw_conv1_prelu")(norm("dw_conv1_norm", DepthwiseConv(name="dw_conv1")(x)))
    block = 0
    for expansion, features, repeats, stride in _BOTTLENECKS:
      for i in range(repeats):
        h, name = x, f"block_{block}"
        step = stride if i == 0 else 1
        h = PointwiseConv(expansion * x.shape[-1], name=f"{name}_expand")(h)
        h = PReLU(name=f"{name}_expand_prelu")(norm(f"{name}_expand_norm", h))
        h = DepthwiseConv(step, name=f"{name}_depthwise")(h)
        h = PReLU(name=f"{name}_depthwise_prelu")(norm(f"{name}_depthwise_norm", h))
        h = norm(f"{name}_project_norm", PointwiseConv(features, name=f"{name}_project")(h))
        x = x + h if step == 1 and features == x.shape[-1] else h
        block += 1
    x = PReLU(name="conv2_prelu")(norm("conv2_norm", PointwiseConv(512, name="conv2")(x)))
    x = norm("linear7_norm", GlobalDepthwiseConv(name="linear7")(x))
    return norm("linear1_norm", nn.Dense(self.embedding_size, use_bias=False, name="linear1")(x))


class SmallEmbedder(nn.Module):
  """Pre-activation ResNet to be trained here: 0.6 million parameters, 70 MFLOP forward at 64 x 64.

  Every stage starts with a 2x2 convolution of stride 2, as those of `models.expression.ResNet`; the sides of its images
  divide by 2 to the number of stages, 16.
  """

  embedding_size: int = 128
  widths: tuple[int, ...] = (24, 48, 96, 128)
  blocks: int = 1

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, H, W, 3] in [-1, 1] -> [B, embedding_size]; `train` uses and updates the batch's statistics."""
    activate = lambda name, x: nn.relu(_norm(train, name)(x))
    for i, width in enumerate(self.widths, start=1):
      x = PatchConv(width, name=f"stage_{i}")(x if i == 1 else activate(f"stage_{i}_norm", x))
      for j in range(1, self.blocks + 1):
        h = x
        for k in (1, 2):
          h = activate(f"stage_{i}_block_{j}_norm_{k}", h)
          h = nn.Conv(width, (3, 3), use_bias=False, name=f"stage_{i}_block_{j}_conv_{k}")(h)
        x = x + h
    x = jnp.mean(activate("norm", x), (-3, -2))
    # Centred, so that strangers' embeddings stand at right angles from the first step on.
    return _norm(train, "embedding_norm")(nn.Dense(self.embedding_size, use_bias=False, name="embedding")(x))


class PReLU(nn.Module):
  """max(x, 0) + slope * min(x, 0) with one learned slope per channel (He et al. 2015)."""

  @nn.compact
  def __call__(self, x):
    """[..., C] -> [..., C]."""
    slope = self.param("slope", nn.initializers.constant(0.25), x.shape[-1:])
    return jnp.where(x >= 0, x, slope * x)


class StemConv(nn.Module):
  """3x3 convolution of stride 2, one zero of padding on each side, as one product with the nine shifts side by side.

  Meant for images, whose nine shifts are 27 channels.
  """

  features: int

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/2), ceil(W/2), features]."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(), (9 * x.shape[-1], self.features))
    return matmul(jnp.concatenate(windows(x, 2), -1), kernel)


class DepthwiseConv(nn.Module):
  """3x3 convolution of every channel on its own, one zero of padding on each side, without a bias."""

  stride: int = 1

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., ceil(H/stride), ceil(W/stride), C]; `stride` is 1 or 2."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(in_axis=(0, 1)), (3, 3, 1, x.shape[-1]))
    return depthwise_conv(x, kernel, self.stride)


class GlobalDepthwiseConv(nn.Module):
  """A depthwise convolution as large as its input: each channel's learned weighted sum over the places."""

  @nn.compact
  def __call__(self, x):
    """[..., H, W, C] -> [..., C]."""
    kernel = self.param("kernel", nn.initializers.lecun_normal(in_axis=(0, 1)), x.shape[-3:])
    return jnp.einsum("...hwc,hwc->...c", x, kernel)


def _norm(train, name):
  return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)
