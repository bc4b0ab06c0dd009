"""Faces turned, scaled and shifted so that their eyes stand where a face recogniser expects them."""

import jax
import jax.numpy as jnp
from jax import lax

from qm_vae.types import AVERAGE_EYES

TEMPLATE_EYES = {(112, 96): (30.3, 51.7, 65.5, 51.5), (112, 112): (38.3, 51.7, 73.5, 51.5)}
"""Where eyes stand by convention in a recogniser's input of that (height, width), pixels: the template of SphereFace
(Liu et al. 2017), and the same 8 pixels further right, as ArcFace has it (Deng et al. 2019)."""

_NEAREST = 0.02  # share of the crop's width: eyes nearer to each other than this are no eyes
_FURTHEST = 10  # longer sides of the crop: beyond this, too


def align(
  image: jax.Array, eyes: jax.Array, target_eyes: jax.Array | tuple[float, ...], size: tuple[int, int]
) -> jax.Array:
  """The image under the similarity transform that takes its eyes to where they should be.

  Coordinates are those of crops: the centre of pixel i is at i + 0.5. Interpolation is bilinear; outside the image its
  border is repeated. Nothing is blurred beforehand, so that a crop much larger than the output aliases: from about
  twice the size on, shrink it first. Differentiable in `image`; `eyes` carry no gradient.

  Eyes that are not finite, ten images away, or nearer to each other than 2 % of the image's width say nothing:
  AVERAGE_EYES hold in their place, since a jitted function cannot raise and an attacker must still get his guess.

  Args:
    image: [H, W, 3] floating point, H and W at least 2.
    eyes: [4], pixels of the image: x, y of the eye at the image's left, x, y of the one at its right.
    target_eyes: the same in pixels of the output.
    size: (height, width) of the output, pixels.

  Returns:
    [height, width, 3] of the type of `image`.
  """
  image = jnp.asarray(image)
  x, y = _places(lax.stop_gradient(eyes), jnp.asarray(target_eyes, jnp.float32), image.shape[:2], size)
  height, width = image.shape[:2]
  left, top = (jnp.minimum(jnp.floor(a).astype(jnp.int32), side - 2) for a, side in ((x, width), (y, height)))
  right, below = ((a - low).astype(image.dtype)[:, None] for a, low in ((x, left), (y, top)))
  flat, first = image.reshape(height * width, -1), top * width + left
  tap = lambda offset: flat.at[first + offset].get(mode="promise_in_bounds")
  upper = tap(0) * (1 - right) + tap(1) * right
  lower = tap(width) * (1 - right) + tap(width + 1) * right
  return (upper * (1 - below) + lower * below).reshape(*size, -1)


def _places(eyes, target_eyes, shape, size):
  """x [N] and y [N] in the image, counted from the first pixel's centre, of every pixel of the output."""
  height, width = shape
  average = jnp.array(AVERAGE_EYES) * jnp.array([width, height, width, height])
  apart = jnp.hypot(eyes[2] - eyes[0], eyes[3] - eyes[1]) > _NEAREST * width
  near = (jnp.abs(eyes) < _FURTHEST * max(shape)).all()  # False for NaN
  eyes = jnp.where(apart & near, eyes, average)
  # A similarity transform is a multiplication by (real + i imaginary): the quotient of the two eye lines.
  (dx, dy), (tx, ty) = eyes[2:] - eyes[:2], target_eyes[2:] - target_eyes[:2]
  real, imaginary = (dx * tx + dy * ty) / (tx**2 + ty**2), (dy * tx - dx * ty) / (tx**2 + ty**2)
  row, column = jnp.divmod(jnp.arange(size[0] * size[1]), size[1])
  column, row = column + 0.5 - target_eyes[0], row + 0.5 - target_eyes[1]
  x = eyes[0] + real * column - imaginary * row - 0.5
  y = eyes[1] + imaginary * column + real * row - 0.5
  return jnp.clip(x, 0, width - 1), jnp.clip(y, 0, height - 1)
