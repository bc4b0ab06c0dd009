"""Block means."""

import functools
from typing import Annotated

import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.options import Option, integer, member


def mosaic(params, face, key, *, block=8):
  """Replaces the face region by a mosaic of block means.

  The mean of a block is taken over those of its pixels that lie inside the mask, so nothing from outside enters. Blocks
  start at the upper left corner; where `block` does not divide H or W, the last ones are smaller.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.
    block: side of one block, in pixels of the crop.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Qiu et al. 2022, Sec. 3.1, Eq. (2), with g the block mean.
  """
  del params, key
  height, width, channels = face.image.shape
  rows, columns = -(-height // block), -(-width // block)
  inside = face.mask > 0
  weighted = jnp.concatenate([jnp.where(inside, face.image, 0.0), inside.astype(jnp.float32)], -1)
  padded = jnp.pad(weighted, ((0, rows * block - height), (0, columns * block - width), (0, 0)))
  sums = padded.reshape(rows, block, columns, block, channels + 1).sum((1, 3))
  means = sums[..., :channels] / jnp.maximum(sums[..., channels:], 1.0)
  tiles = jnp.broadcast_to(means[:, None, :, None], (rows, block, columns, block, channels))
  return region.write_inside(face, tiles.reshape(rows * block, columns * block, channels)[:height, :width])


@member(removes_identity=True, in_frames={"block": 16})  # six blocks across a face and its margin
def make(*, block: Annotated[int, Option(integer(1), "pixels of the crop")] = 8) -> types.Deidentifier:
  """A mosaic of `block` x `block` pixels.

  Raises:
    ValueError: unless block is an integer >= 1.
  """
  return types.Deidentifier((), functools.partial(mosaic, block=block))
