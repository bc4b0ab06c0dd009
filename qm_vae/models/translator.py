"""A network from image to image."""

import flax.linen as nn
import jax.numpy as jnp

from qm_vae.models import vqvae
from qm_vae.models.presets import PRESETS


class Translator(nn.Module):
  """The image and what the VQ-VAE's encoder and decoder, without codes between them, add to it or take away.

  So only what is to change need be learnt (Zhang et al. 2017, DnCNN), and fine detail that is there stays.
  """

  preset: vqvae.Preset = PRESETS["small"]
  code_dim: int = 64

  @nn.compact
  def __call__(self, image):
    """[B, S, S, 3] in [0, 1] -> [B, S, S, 3] in [0, 1]; S divides by `vqvae.STRIDE`."""
    change = 2 * vqvae.Decoder(self.preset)(vqvae.Encoder(self.preset, self.code_dim)(image)) - 1
    return jnp.clip(image + change, 0.0, 1.0)
