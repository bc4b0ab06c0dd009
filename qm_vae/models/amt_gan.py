"""AMT-GAN: one face gets the make-up of another, and with it what misleads face recognisers.

Layers carry the names of the public PyTorch implementation (CGCL-codes/AMT-GAN, whose generator is PSGAN's), so that
its checkpoints map one to one. Images are in [-1, 1] here; those who call it convert.

Source: Hu et al. 2022, "Protecting Facial Privacy: Generating Adversarial Identity Masks via Style-robust Makeup
Transfer"; Jiang et al. 2020, "PSGAN: Pose and Expression Robust Spatial-Aware GAN for Customizable Makeup Transfer".
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from qm_vae.faces import makeup
from qm_vae.models.adversarial_layers import Conv, ConvTranspose, InstanceNorm

STRIDE = 4
"""Sides of the images divide by it; regions and places are given at a quarter of them."""

SMALLEST_SIDE = 32
"""Pixels that the discriminator needs."""

_VISUAL = 0.01  # weight of the features beside the places in the attention (PSGAN, Eq. 3)
_SHARPNESS = 200.0  # of the attention
_XAVIER = nn.initializers.xavier_normal()


class Generator(nn.Module):
  """PSGAN's generator, 12.6 million parameters.

  One half distils the reference's make-up into a scale and a shift for every place; attention, within lips, skin and
  eyes, carries them to where they belong in the source; the other half repaints the source with them.
  """

  channels: int = 64

  @nn.compact
  def __call__(self, source, reference, source_parts, reference_parts):
    """The source with the reference's make-up.

    Args:
      source: [B, H, W, 3] in [-1, 1]; sides divide by `STRIDE`.
      reference: the same.
      source_parts: makeup.Parts of the source at a quarter of its size: regions [B, 3, h, w], places [B, 3, h, w, 136].
      reference_parts: the same of the reference.

    Returns:
      [B, H, W, 3] in [-1, 1].
    """
    conv = lambda place, features, size, stride=1: Conv(
      features, size, stride, padding=3 if size == 7 else 1, bias=False, kernel_init=_XAVIER, name=place
    )
    norm = lambda place: InstanceNorm(affine=True, name=place)
    base, wide = self.channels, 4 * self.channels
    made_up = nn.relu(norm("pnet_in.1")(conv("pnet_in.0", base, 7)(reference)))
    x = nn.relu(InstanceNorm()(conv("tnet_in_conv", base, 7)(source)))
    for i, width in ((1, 2 * base), (2, wide)):
      made_up = nn.relu(norm(f"pnet_down_{i}.1")(conv(f"pnet_down_{i}.0", width, 4, 2)(made_up)))
      x = nn.relu(InstanceNorm()(conv(f"tnet_down_conv_{i}", width, 4, 2)(x)))
    for i in range(1, 4):
      place = f"pnet_bottleneck_{i}.main"
      h = nn.relu(norm(f"{place}.1")(conv(f"{place}.0", wide, 3)(made_up)))
      made_up = made_up + norm(f"{place}.4")(conv(f"{place}.3", wide, 3)(h))
    matrices = [
      Conv(1, 1, bias=False, kernel_init=_XAVIER, name=f"simple_spade.get_{name}")(made_up)[..., 0]
      for name in ("gamma", "beta")
    ]
    for name in ("g", "b"):
      _Unused(name=f"atten_bottleneck_{name}.g")()
    for i in range(1, 7):
      if i == 4:
        gamma, beta = attend(x, made_up, source_parts, reference_parts, matrices)
        x = x * (1 + gamma[..., None]) + beta[..., None]
      place = f"tnet_bottleneck_{i}.main"
      h = nn.relu(InstanceNorm()(conv(f"{place}.0", wide, 3)(x)))
      x = x + InstanceNorm()(conv(f"{place}.3", wide, 3)(h))
    for i, width in ((1, 2 * base), (2, base)):
      x = nn.relu(InstanceNorm()(ConvTranspose(width, kernel_init=_XAVIER, name=f"tnet_up_conv_{i}")(x)))
    return jnp.tanh(conv("tnet_out.0", 3, 7)(x))


def shapes(module: Generator, size: int):
  """The variables of a generator for images of `size` pixels, as jax.eval_shape tells them."""

  def init():
    picture, eyes = jnp.zeros((1, size, size, 3)), jnp.ones((1, 4))
    parts = jax.vmap(lambda e: makeup.parts(e, (size, size), STRIDE))(eyes)
    return module.init(jax.random.key(0), picture, picture, parts, parts)

  return jax.eval_shape(init)


def attend(x, made_up, source_parts, reference_parts, matrices):
  """The make-up matrices, carried from the places of the reference to those of the source.

  Args:
    x: [B, h, w, C] features of the source.
    made_up: [B, h, w, C] features of the reference.
    source_parts: makeup.Parts at that size.
    reference_parts: the same.
    matrices: of the reference, each [B, h, w].

  Returns:
    Of the source, as many, each [B, h, w]; 0 outside of its regions.
  """
  height, width = x.shape[1:3]

  def described(features, parts):
    inside = parts.regions[..., None]
    descriptors = jnp.concatenate([_VISUAL * features[:, None] * inside, parts.places], -1)
    return descriptors.reshape(*descriptors.shape[:2], height * width, -1), parts.regions.reshape(
      *descriptors.shape[:2], height * width
    )

  (to, in_source), (of, in_reference) = described(x, source_parts), described(made_up, reference_parts)
  alike = jnp.einsum("bpic,bpjc->bpij", to, of, precision=jax.lax.Precision.HIGHEST)
  weights = jax.nn.softmax(_SHARPNESS * alike, -1) * in_source[..., None] * in_reference[..., None, :]
  flat = jnp.stack([matrix.reshape(len(x), -1) for matrix in matrices])
  carried = jnp.einsum("bpij,mbj->mbi", weights, flat, precision=jax.lax.Precision.HIGHEST)
  return tuple(carried.reshape(len(matrices), len(x), height, width))


class Regularizer(nn.Module):
  """What takes adversarial noise out again, so that the cycle can close: residual-in-residual dense blocks.

  2.9 million parameters. Source: Hu et al. 2022, Sec. 3.3, with the blocks of ESRGAN (Wang et al. 2018).
  """

  blocks: int = 4
  channels: int = 64

  @nn.compact
  def __call__(self, image):
    """[B, H, W, 3] in [-1, 1] -> the same shape, not bounded."""
    conv = lambda place, features: Conv(features, 3, padding=1, kernel_init=_XAVIER, name=place)
    trunk = conv("conv_first", self.channels)(image)
    for i in range(self.blocks):
      start = trunk
      for j in (1, 2, 3):
        place = f"RRDB_trunk.{i}.RDB{j}"
        seen = [trunk]
        for k in range(1, 5):
          seen.append(nn.leaky_relu(conv(f"{place}.conv{k}", self.channels // 2)(jnp.concatenate(seen, -1)), 0.2))
        trunk = trunk + 0.2 * conv(f"{place}.conv5", self.channels)(jnp.concatenate(seen, -1))
      trunk = start + 0.2 * trunk
    return conv("trunk_conv", 3)(trunk)


class Discriminator(nn.Module):
  """Strided convolutions with spectral norm, a verdict for every patch of 70 pixels (Isola et al. 2017)."""

  strided: int = 3
  channels: int = 64

  @nn.compact
  def __call__(self, x, update: bool = False):
    """[B, H, W, 3] in [-1, 1], sides from 32 pixels -> [B, h, w], towards 1 for real patches."""
    for i in range(self.strided + 1):
      stride = 2 if i < self.strided else 1
      conv = Conv(self.channels * 2**i, 4, stride, padding=1, spectral=True, kernel_init=_XAVIER, name=f"main.{2 * i}")
      x = nn.leaky_relu(conv(x, update), 0.01)
    return Conv(1, 4, padding=1, bias=False, spectral=True, kernel_init=_XAVIER, name="conv1")(x, update)[..., 0]


class _Unused(nn.Module):
  """A convolution that the public checkpoint holds and its generator never applies."""

  @nn.compact
  def __call__(self):
    self.param("kernel", _XAVIER, (1, 1, 1, 1))
    self.param("bias", nn.initializers.zeros, (1,))
