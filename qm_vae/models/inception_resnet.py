"""Inception-ResNet v1, the network of the public FaceNet, with the layers' names of facenet-pytorch.

Source: Szegedy et al. 2017, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning";
Schroff et al. 2015, "FaceNet"; the layers are those of timesler/facenet-pytorch.
"""

import flax.linen as nn
import jax.numpy as jnp

_SAME = "SAME"  # odd kernels of stride 1: as many zeros on each side

# Width of a block's first branch, of the second's layers with their kernels, and the scale of what is added.
_BRANCHES_17 = (128, ((128, (1, 1)), (128, (1, 7)), (128, (7, 1))), 0.10)
_BRANCHES_8 = (192, ((192, (1, 1)), (192, (1, 3)), (192, (3, 1))), 0.20)


class InceptionResnetV1(nn.Module):
  """23.5 million parameters, 2.7 GFLOP forward at 160 x 160."""

  embedding_size: int = 512
  repeats: tuple[int, int, int] = (5, 10, 5)

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, H, W, 3] in about [-1, 1], sides of 75 pixels or more -> [B, embedding_size]."""
    conv = lambda name, x, width, size=(1, 1), **rest: self._unit(name, x, width, size, train, **rest)
    valid = {"stride": 2, "padding": "VALID"}
    x = conv("conv2d_1a", x, 32, (3, 3), **valid)
    x = conv("conv2d_2a", x, 32, (3, 3), padding="VALID")
    x = conv("conv2d_2b", x, 64, (3, 3))
    x = nn.max_pool(x, (3, 3), (2, 2))
    x = conv("conv2d_3b", x, 80)
    x = conv("conv2d_4a", x, 192, (3, 3), padding="VALID")
    x = conv("conv2d_4b", x, 256, (3, 3), **valid)
    for i in range(self.repeats[0]):
      place = f"repeat_1.{i}"
      second, third = conv(f"{place}.branch1.0", x, 32), conv(f"{place}.branch2.0", x, 32)
      second = conv(f"{place}.branch1.1", second, 32, (3, 3))
      third = conv(f"{place}.branch2.2", conv(f"{place}.branch2.1", third, 32, (3, 3)), 32, (3, 3))
      x = self._added(place, x, [conv(f"{place}.branch0", x, 32), second, third], 0.17)
    second = conv("mixed_6a.branch1.1", conv("mixed_6a.branch1.0", x, 192), 192, (3, 3))
    parts = [conv("mixed_6a.branch0", x, 384, (3, 3), **valid)]
    parts += [conv("mixed_6a.branch1.2", second, 256, (3, 3), **valid), nn.max_pool(x, (3, 3), (2, 2))]
    x = jnp.concatenate(parts, -1)
    for i in range(self.repeats[1]):
      x = self._block(conv, f"repeat_2.{i}", x, *_BRANCHES_17)
    starts = [conv(f"mixed_7a.branch{i}.0", x, 256) for i in range(3)]
    third = conv("mixed_7a.branch2.1", starts[2], 256, (3, 3))
    parts = [conv("mixed_7a.branch0.1", starts[0], 384, (3, 3), **valid)]
    parts += [conv("mixed_7a.branch1.1", starts[1], 256, (3, 3), **valid)]
    parts += [conv("mixed_7a.branch2.2", third, 256, (3, 3), **valid), nn.max_pool(x, (3, 3), (2, 2))]
    x = jnp.concatenate(parts, -1)
    for i in range(self.repeats[2]):
      x = self._block(conv, f"repeat_3.{i}", x, *_BRANCHES_8)
    first, branch, _ = _BRANCHES_8
    x = self._block(conv, "block8", x, first, branch, 1.0, activate=False)
    x = nn.Dense(self.embedding_size, use_bias=False, name="last_linear")(jnp.mean(x, (1, 2)))
    return _norm("last_bn", train)(x)

  def _unit(self, name, x, width, size, train, stride=1, padding=_SAME):
    x = nn.Conv(width, size, stride, padding, use_bias=False, name=f"{name}.conv")(x)
    return nn.relu(_norm(f"{name}.bn", train)(x))

  def _block(self, conv, place, x, first, branch, scale, activate=True):
    second = x
    for i, (width, size) in enumerate(branch):
      second = conv(f"{place}.branch1.{i}", second, width, size)
    return self._added(place, x, [conv(f"{place}.branch0", x, first), second], scale, activate)

  def _added(self, place, x, parts, scale, activate=True):
    x = x + scale * nn.Conv(x.shape[-1], (1, 1), name=f"{place}.conv2d")(jnp.concatenate(parts, -1))
    return nn.relu(x) if activate else x


def _norm(name, train):
  return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-3, name=name)
