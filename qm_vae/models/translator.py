"""A network from image to image."""

import flax.linen as nn

from qm_vae.models import vqvae


class Translator(nn.Module):
  """The VQ-VAE's encoder and decoder without the codes between them, so that all detail may pass."""

  preset: vqvae.Preset = vqvae.PRESETS["small"]
  code_dim: int = 64

  @nn.compact
  def __call__(self, image):
    """[B, S, S, 3] in [0, 1] -> [B, S, S, 3] in [0, 1]; S divides by `vqvae.STRIDE`."""
    return vqvae.Decoder(self.preset)(vqvae.Encoder(self.preset, self.code_dim)(image))
