"""U-GAT-IT: from pictures of one kind to those of another, with attention from a class activation map.

Layers carry the names of the public PyTorch implementation (znxlwm/UGATIT-pytorch), so that its checkpoints map one to
one; convert/tf_ugatit.py maps those of the original. Images are in [-1, 1] here; deidentifiers/_ugatit.py and
training/tasks/ugatit.py convert.

Source: Kim et al. 2020, "U-GAT-IT: Unsupervised Generative Attentional Networks with Adaptive Layer-Instance
Normalization for Image-to-Image Translation".
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from qm_vae.models.adversarial_layers import Conv, InstanceNorm, singular_value, upsample

STRIDE = 4
"""Sides of a generator's images divide by it."""


class Translated(NamedTuple):
  """What a generator returns."""

  image: jax.Array  # [B, H, W, 3] in [-1, 1]
  cam: jax.Array  # [B, 2] logits of the auxiliary classifier on mean- and max-pooled features: is this the source kind?
  heat: jax.Array  # [B, H/4, W/4], where the attention lies


class Judged(NamedTuple):
  """What a discriminator returns."""

  real: jax.Array  # [B, h, w], towards 1 for real patches
  cam: jax.Array  # [B, 2], the same of its auxiliary classifier


class Generator(nn.Module):
  """Two strided convolutions, residual blocks, attention, residual blocks with AdaLIN, two upsamplings.

  10.6 million parameters with `light`, 279 million without at 256 pixels: the full one computes AdaLIN's gamma and beta
  from every feature in its place, and knows one image size; the light one from their means, and takes any. `original`
  is the graph of the TensorFlow implementation (taki0112/UGATIT), of which the published weights are: biases
  everywhere, instance norms that scale and shift, one attention layer for both poolings, variances over n.
  """

  light: bool = True
  channels: int = 64
  blocks: int = 4
  original: bool = False

  @nn.compact
  def __call__(self, x):
    """[B, H, W, 3] in [-1, 1], sides divisible by `STRIDE` -> Translated."""
    width, original = self.channels, self.original
    conv = lambda place, features, size, **rest: Conv(features, size, reflect=True, bias=original, name=place, **rest)
    norm = lambda place, x: InstanceNorm(affine=original, name=f"{place}.norm")(x)
    dense = lambda place, x: _dense(width, place, original)(x)
    x = nn.relu(norm("DownBlock.1", conv("DownBlock.1", width, 7, padding=3)(x)))
    for place in ("DownBlock.5", "DownBlock.9"):
      width *= 2
      x = nn.relu(norm(place, conv(place, width, 3, stride=2, padding=1)(x)))
    for i in range(self.blocks):
      first, second = (f"DownBlock.{12 + i}.conv_block.{layer}" for layer in (1, 5))
      h = nn.relu(norm(first, conv(first, width, 3, padding=1)(x)))
      x = x + norm(second, conv(second, width, 3, padding=1)(h))
    x, cam = _Shared(name="CAM_logit")(x) if original else _attend(x, spectral=False, update=False)
    x = nn.relu(Conv(width, 1, name="conv1x1")(x))
    heat = jnp.sum(x, -1)
    # PyTorch flattens channel by channel.
    style = jnp.mean(x, (1, 2)) if self.light else jnp.moveaxis(x, -1, 1).reshape(len(x), -1)
    for place in ("FC.0", "FC.2"):
      style = nn.relu(dense(place, style))
    gamma, beta = (dense(place, style) for place in ("gamma", "beta"))
    for i in range(1, self.blocks + 1):
      place = f"UpBlock1_{i}"
      h = conv(f"{place}.conv1", width, 3, padding=1)(x)
      h = nn.relu(AdaLIN(original, name=f"{place}.norm1")(h, gamma, beta))
      h = conv(f"{place}.conv2", width, 3, padding=1)(h)
      x = x + AdaLIN(original, name=f"{place}.norm2")(h, gamma, beta)
    for i in (0, 1):
      width //= 2
      x = conv(f"UpBlock2.{5 * i + 2}", width, 3, padding=1)(upsample(x))
      x = nn.relu(LIN(original, name=f"UpBlock2.{5 * i + 3}")(x))
    return Translated(jnp.tanh(conv("UpBlock2.11", 3, 7, padding=3)(x)), cam, heat)


class Discriminator(nn.Module):
  """Strided convolutions with spectral norm, attention as in the generator, a verdict for every patch.

  The global one has 7 layers and needs images of 128 pixels, the local one 5 and needs 32.
  """

  layers: int = 5
  channels: int = 64

  @nn.compact
  def __call__(self, x, update: bool = False):
    """[B, H, W, 3] in [-1, 1] -> Judged; `update` makes the power iterations of the spectral norms."""
    conv = lambda place, features, **rest: Conv(features, 4, padding=1, reflect=True, spectral=True, name=place, **rest)
    width = self.channels
    for i in range(self.layers - 2):
      width = self.channels * 2**i
      x = nn.leaky_relu(conv(f"model.{3 * i + 1}", width, stride=2)(x, update), 0.2)
    width *= 2
    x = nn.leaky_relu(conv(f"model.{3 * (self.layers - 2) + 1}", width)(x, update), 0.2)
    x, cam = _attend(x, spectral=True, update=update)
    x = nn.leaky_relu(Conv(width, 1, name="conv1x1")(x), 0.2)
    return Judged(conv("conv", 1, bias=False)(x, update)[..., 0], cam)


def smallest_side(layers: int) -> int:
  """Pixels that an image must have for a discriminator of so many layers: reflection needs two pixels to the last."""
  return 2**layers


class AdaLIN(nn.Module):
  """Adaptive layer-instance normalisation: a learned share `rho` of each, then scaled and shifted (Eq. 1)."""

  biased: bool = False  # variances over n, not n - 1

  @nn.compact
  def __call__(self, x, gamma, beta):
    """[B, H, W, C] and gamma, beta [B, C] -> [B, H, W, C]."""
    rho = self.param("rho", nn.initializers.constant(0.9), x.shape[-1:])
    return _mixed(x, rho, self.biased) * gamma[:, None, None] + beta[:, None, None]


class LIN(nn.Module):
  """Layer-instance normalisation whose scale and shift are learned; `biased` as AdaLIN's."""

  biased: bool = False

  @nn.compact
  def __call__(self, x):
    """[B, H, W, C] -> the same shape."""
    rho = self.param("rho", nn.initializers.zeros, x.shape[-1:])
    x = _mixed(x, rho, self.biased) * self.param("gamma", nn.initializers.ones, x.shape[-1:])
    return x + self.param("beta", nn.initializers.zeros, x.shape[-1:])


def clip_rho(params):
  """The parameters with every `rho` in [0, 1], as after each step (Sec. 2.1.1)."""
  is_rho = lambda path: path[-1].key == "rho"
  return jax.tree_util.tree_map_with_path(lambda path, x: jnp.clip(x, 0, 1) if is_rho(path) else x, params)


def _mixed(x, rho, biased):
  def normalised(axes):
    # The PyTorch implementation divides the squares' sum by n - 1.
    variance = jnp.var(x, axes, keepdims=True, ddof=0 if biased else 1)
    return (x - jnp.mean(x, axes, keepdims=True)) / jnp.sqrt(variance + 1e-5)

  return rho * normalised((1, 2)) + (1 - rho) * normalised((1, 2, 3))


def _attend(x, *, spectral, update):
  """Features weighted by what they say to classifiers on their mean and maximum, [B, h, w, 2 C], and the logits."""
  weighted, logits = [], []
  for place, pooled in (("gap_fc", jnp.mean(x, (1, 2))), ("gmp_fc", jnp.max(x, (1, 2)))):
    logit, weight = _Classifier(spectral, name=place)(pooled, update)
    weighted.append(x * weight)
    logits.append(logit)
  return jnp.concatenate(weighted, -1), jnp.stack(logits, -1)


class _Classifier(nn.Module):
  """One logit [B] from [B, C], and the weights [C]: as learned, whereas the logit's have the spectral norm."""

  spectral: bool

  @nn.compact
  def __call__(self, x, update):
    kernel = self.param("kernel", nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"), (x.shape[-1], 1))
    used = kernel / singular_value(self, kernel, update) if self.spectral else kernel
    return (x @ used)[:, 0], kernel[:, 0]


class _Shared(nn.Module):
  """One classifier for both poolings, and weights of its own: early checkpoints hold them, late ones kernel + bias."""

  @nn.compact
  def __call__(self, x):
    """[B, h, w, C] -> ([B, h, w, 2 C], the weighted features twice, and logits [B, 2])."""
    kernel = self.param("kernel", nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"), (x.shape[-1], 1))
    bias = self.param("bias", nn.initializers.zeros, (1,))
    weighted = x * self.param("weight", nn.initializers.normal(0.02), x.shape[-1:])
    pooled = jnp.stack([jnp.mean(x, (1, 2)), jnp.max(x, (1, 2))], 1)
    return jnp.concatenate([weighted, weighted], -1), (pooled @ kernel + bias)[..., 0]


def _dense(features, place, bias):
  init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
  return nn.Dense(features, use_bias=bias, kernel_init=init, name=place)
