"""Networks that tell a facial expression: grey image in [-1, 1] to logits."""

import flax.linen as nn
import jax.numpy as jnp

from qm_vae.models.blocks import BlockConv, PatchConv, PointwiseConv, SeparableConv, max_pool
from qm_vae.registry import Registry

EXPRESSION_NETWORKS = Registry(
  "expression network",
  {
    "mini_xception": "qm_vae.models.expression:MiniXception",
    "plain_cnn": "qm_vae.models.expression:PlainCNN",
    "resnet": "qm_vae.models.expression:ResNet",
    "wide_resnet": "qm_vae.models.expression:WideResNet",
  },
  group="qm_vae.expression_networks",
)
"""Networks `(num_classes)` that map (image [B, S, S, 1] in [-1, 1], train) to logits [B, num_classes]."""


class MiniXception(nn.Module):
  """mini_XCEPTION: 57 thousand parameters, 20 MFLOP forward at 64 x 64.

  Source: Arriaga et al. 2017, "Real-time Convolutional Neural Networks for Emotion and Gender Classification"; layer by
  layer the Keras network of oarriaga/face_classification without its softmax.
  """

  num_classes: int = 7

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, S, S, 1] in [-1, 1] -> logits [B, num_classes]; `train` uses and updates the batch's statistics."""
    norm = lambda name: _norm(train, name, epsilon=1e-3)
    for i in (1, 2):
      x = BlockConv(8, name=f"conv_{i}")(x)
      x = nn.relu(norm(f"norm_{i}")(x))
    for i, features in enumerate((16, 32, 64, 128), start=1):
      shortcut = norm(f"module_{i}_shortcut_norm")(PointwiseConv(features, 2, name=f"module_{i}_shortcut")(x))
      x = nn.relu(norm(f"module_{i}_norm_1")(SeparableConv(features, name=f"module_{i}_separable_1")(x)))
      x = norm(f"module_{i}_norm_2")(SeparableConv(features, name=f"module_{i}_separable_2")(x))
      x = max_pool(x) + shortcut
    return jnp.mean(nn.Conv(self.num_classes, (3, 3), name="logits")(x), (-3, -2))


class ResNet(nn.Module):
  """Pre-activation ResNet: 0.7 million parameters, 30 MFLOP forward at 48 x 48.

  Every stage starts with a 2x2 convolution of stride 2 and keeps its size from there: overlapping strided convolutions
  are slow on XLA's CPU backend, above all their kernel gradient. In training the caller gives a "dropout" key.

  Source: He et al. 2016, "Identity Mappings in Deep Residual Networks".
  """

  num_classes: int = 7
  widths: tuple[int, ...] = (20, 40, 80, 160)
  blocks: int = 1
  dropout: float = 0.3

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, S, S, 1] in [-1, 1] -> logits [B, num_classes]; `train` uses and updates the batch's statistics."""
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
    return nn.Dense(self.num_classes, name="logits")(nn.Dropout(self.dropout, deterministic=not train)(x))


class WideResNet(ResNet):
  """The same with more channels: 1.7 million parameters, 85 MFLOP forward at 48 x 48; for real faces, as a judge."""

  widths: tuple[int, ...] = (32, 64, 128, 256)
  dropout: float = 0.4


class PlainCNN(nn.Module):
  """Pairs of 3x3 convolutions with pooling between them: 0.4 million parameters, 41 MFLOP forward at 48 x 48.

  The kind of network that Qiu et al. 2022 call "a CNN trained on FER2013" (Sec. 4.2), without saying more of it. In
  training the caller gives a "dropout" key.

  Source: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", narrower,
  and with batch normalisation.
  """

  num_classes: int = 7
  widths: tuple[int, ...] = (16, 32, 64)
  hidden: int = 128
  dropout: float = 0.4

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, S, S, 1] in [-1, 1] -> logits [B, num_classes]; `train` uses and updates the batch's statistics."""
    drop = lambda x: nn.Dropout(self.dropout, deterministic=not train)(x)
    for i, width in enumerate(self.widths, start=1):
      for j in (1, 2):
        x = nn.Conv(width, (3, 3), use_bias=False, name=f"stage_{i}_conv_{j}")(x)
        x = nn.relu(_norm(train, f"stage_{i}_norm_{j}")(x))
      x = nn.max_pool(x, (2, 2), (2, 2))
    x = nn.relu(nn.Dense(self.hidden, name="hidden")(drop(x.reshape(len(x), -1))))
    return nn.Dense(self.num_classes, name="logits")(drop(x))


def _norm(train, name, epsilon=1e-5):
  # 0.9 instead of Keras' 0.99: a few hundred steps must suffice for the averages that inference uses.
  return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=epsilon, name=name)
