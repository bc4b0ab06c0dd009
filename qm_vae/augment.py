"""Random changes of an image that leave its expression alone; differentiable."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Augmentation(NamedTuple):
  """How far each change goes; 0 switches it off. Python numbers, fixed when the step is compiled."""

  shift: float = 0.0  # share of the side, [0, 0.5]; both axes, uniform in +- shift
  scale: float = 0.0  # sides are multiplied by exp(u), u uniform in +- scale; about the centre
  flip: float = 0.0  # probability of mirroring left and right, [0, 1]
  blur: float = 0.0  # pixels; Gaussian, sigma uniform in [0, blur]
  contrast: float = 0.0  # differences from the image's mean are multiplied by 1 + u, u uniform in +- contrast
  brightness: float = 0.0  # of the range; uniform in +- brightness is added
  noise: float = 0.0  # of the range; standard deviation of Gaussian noise, every pixel on its own, channels alike


def augment(image: jax.Array, key: jax.Array, settings: Augmentation) -> jax.Array:
  """The images, each changed by its own draw of `settings`.

  Beyond the border the border's pixels go on. Gradients flow to `image`; where the result is clipped they stop.

  Args:
    image: [B, H, W, C] float32 in [0, 1].
    key: the randomness.
    settings: what may change and how far.

  Returns:
    [B, H, W, C] float32 in [0, 1]; the input, bit for bit, where every setting is 0.
  """
  if not any(settings):
    return image
  draw = lambda purpose: jax.random.uniform(jax.random.fold_in(key, purpose), (len(image),), minval=-1, maxval=1)
  if settings.shift or settings.scale or settings.flip or settings.blur:
    scale = jnp.exp(settings.scale * draw(0))
    sigma = settings.blur * jnp.abs(draw(1))
    mirror = jnp.where((draw(2) + 1) / 2 < settings.flip, -1.0, 1.0)
    rows = _resampling(image.shape[1], scale, settings.shift * draw(3), sigma if settings.blur else None)
    columns = _resampling(image.shape[2], scale * mirror, settings.shift * draw(4), sigma if settings.blur else None)
    # HIGHEST, so that a GPU does not round the pixels to TF32.
    image = jnp.einsum("byi,bijc,bxj->byxc", rows, image, columns, precision=lax.Precision.HIGHEST)
  per_image = lambda values: values[:, None, None, None]
  if settings.contrast:
    mean = jnp.mean(image, (1, 2, 3), keepdims=True)
    image = mean + (image - mean) * per_image(1 + settings.contrast * draw(5))
  if settings.brightness:
    image = image + per_image(settings.brightness * draw(6))
  if settings.noise:
    # Drawing is the dearest part on a CPU, so the channels share the draw.
    image = image + settings.noise * jax.random.normal(jax.random.fold_in(key, 7), (*image.shape[:-1], 1))
  return jnp.clip(image, 0.0, 1.0)


def _resampling(size, scale, shift, sigma):
  """Matrices that scale, shift and blur one axis: [B, size, size], row y holding the weights of the input's pixels.

  Args:
    size: pixels of the axis.
    scale: [B], enlargement about the centre; negative mirrors.
    shift: [B], to the right or down, share of the side.
    sigma: [B] of the Gaussian, pixels, or None for no blur.
  """
  centre = (size - 1) / 2
  pixels = jnp.arange(size, dtype=jnp.float32)
  position = (pixels - centre - shift[:, None] * size) / scale[:, None] + centre  # [B, y], where output y comes from
  position = jnp.clip(position, 0, size - 1)
  distance = jnp.abs(position[:, :, None] - pixels)
  # Where the image shrinks, the triangle widens to 1 / scale pixels, so that nothing is skipped.
  width = jnp.maximum(1 / jnp.abs(scale), 1)[:, None, None]
  weights = _normalised(jnp.maximum(1 - distance / width, 0))
  if sigma is None:
    return weights
  squared = jnp.square(pixels[:, None] - pixels)
  # The floor keeps a sigma of 0 from dividing by 0; there the matrix is the identity.
  gaussian = _normalised(jnp.exp(-squared / (2 * jnp.square(jnp.maximum(sigma, 1e-3)))[:, None, None]))
  return jnp.einsum("byi,bij->byj", weights, gaussian, precision=lax.Precision.HIGHEST)


def _normalised(weights):
  return weights / jnp.sum(weights, -1, keepdims=True)
