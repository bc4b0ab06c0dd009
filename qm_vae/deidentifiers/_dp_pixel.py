"""Block means with noise that hides a few pixels from an attacker who knows all others."""

import functools
from typing import Annotated

import jax
import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.options import POSITIVE, Option, integer, member


def dp_pixel(params, face, key, *, block=16, pixels=16, epsilon=0.5):
  """Replaces the region by a mosaic whose block means carry Laplace noise.

  Two pictures that differ in at most `pixels` pixels give any output with probabilities that differ by a factor of
  exp(epsilon) at most. Such pictures show the same person: this is no promise that nobody is recognised. The source has
  one grey channel; here a pixel changes three means, and the noise is three times as wide.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}; the mask counts as public.
    key: source of the noise; with it the noise can be taken away.
    block: side of one block, pixels of the crop; where it does not divide H or W, the last blocks are smaller.
    pixels: in how many pixels two pictures may differ that shall not be distinguishable.
    epsilon: nats, the largest log-ratio of the output's probabilities for two such pictures.

  Returns:
    [H, W, 3] float32 in [0, 1], clipped; outside the mask the input, bit for bit.

  Source: Fan 2018, "Image Pixelization with Differential Privacy", Sec. 4: noise of scale 255 m / (b^2 epsilon).
  """
  del params
  height, width, channels = face.image.shape
  rows, columns = -(-height // block), -(-width // block)
  inside = face.mask > 0
  weighted = jnp.concatenate([jnp.where(inside, face.image, 0.0), inside.astype(jnp.float32)], -1)
  padded = jnp.pad(weighted, ((0, rows * block - height), (0, columns * block - width), (0, 0)))
  sums = padded.reshape(rows, block, columns, block, channels + 1).sum((1, 3))
  count = jnp.maximum(sums[..., channels:], 1.0)
  # m_j changed pixels of a block's n move its means by channels * m_j / n at most, which is m_j / m of scale * epsilon;
  # so those of all blocks add up to epsilon at most, however the m pixels are spread, and however small n is.
  scale = channels * pixels / (count * epsilon)
  noise = jax.random.laplace(key, (rows, columns, channels), jnp.float32)
  means = jnp.clip(sums[..., :channels] / count + scale * noise, 0.0, 1.0)
  tiles = jnp.broadcast_to(means[:, None, :, None], (rows, block, columns, block, channels))
  return region.write_inside(face, tiles.reshape(rows * block, columns * block, channels)[:height, :width])


@member()
def make(
  *,
  block: Annotated[int, Option(integer(1), "pixels of the crop")] = 16,
  pixels: Annotated[int, Option(integer(1), "pixels in which two pictures may differ")] = 16,
  epsilon: Annotated[float, Option(POSITIVE, "nats, the privacy of such pictures")] = 0.5,
) -> types.Deidentifier:
  """A mosaic of `block` x `block` pixels that hides `pixels` pixels with `epsilon`.

  Raises:
    ValueError: unless block and pixels are integers >= 1 and 0 < epsilon < infinity.
  """
  settings = {"block": block, "pixels": pixels, "epsilon": float(epsilon)}
  return types.Deidentifier((), functools.partial(dp_pixel, **settings))
