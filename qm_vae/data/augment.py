"""Random changes of an image that leave its expression alone; differentiable."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from qm_vae.types import Face

_COSINES = np.array(
  [[np.sqrt((1 + (u > 0)) / 8) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)] for u in range(8)], np.float32
)
"""Rows of the discrete cosine transform of eight values, orthonormal."""
_MIDDLE = 128 / 255  # of the range, taken from the pixels first
_TABLE = (
  (16, 11, 10, 16, 24, 40, 51, 61),
  (12, 12, 14, 19, 26, 58, 60, 55),
  (14, 13, 16, 24, 40, 57, 69, 56),
  (14, 17, 22, 29, 51, 87, 80, 62),
  (18, 22, 37, 56, 68, 109, 103, 77),
  (24, 35, 55, 64, 81, 104, 113, 92),
  (49, 64, 78, 87, 103, 121, 120, 101),
  (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Steps of the luminance coefficients at quality 50, grey levels (ITU-T T.81, Table K.1)."""


class Augmentation(NamedTuple):
  """How far each change goes; 0 switches it off. Python numbers, fixed when the step is compiled."""

  shift: float = 0.0  # share of the side, [0, 0.5]; both axes, uniform in +- shift
  scale: float = 0.0  # sides are multiplied by exp(u), u uniform in +- scale; about the centre
  flip: float = 0.0  # probability of mirroring left and right, [0, 1]
  blur: float = 0.0  # pixels; Gaussian, sigma uniform in [0, blur]
  contrast: float = 0.0  # differences from the image's mean are multiplied by 1 + u, u uniform in +- contrast
  brightness: float = 0.0  # of the range; uniform in +- brightness is added
  noise: float = 0.0  # of the range; standard deviation of Gaussian noise, every pixel on its own, channels alike
  channels: float = 0.0  # [0, 1]; share of each channel that is replaced by a mixture of all three, drawn evenly
  jpeg: float = 0.0  # [0, 1]; JPEG's rounding, its table multiplied by u, u uniform in [0, 5 jpeg]; 5 is quality 10


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
  if settings.channels:
    image = mix_channels(image, jax.random.fold_in(key, 9), settings.channels)
  if settings.jpeg:
    image = jpeg_rounding(image, settings.jpeg * 2.5 * (draw(8) + 1))
  if settings.noise:
    # Drawing is the dearest part on a CPU, so the channels share the draw.
    image = image + settings.noise * jax.random.normal(jax.random.fold_in(key, 7), (*image.shape[:-1], 1))
  return jnp.clip(image, 0.0, 1.0)


def mix_channels(image: jax.Array, key: jax.Array, share: float) -> jax.Array:
  """Images whose channels are partly replaced by one mixture of all, with weights drawn evenly from the simplex.

  What shows after this shows in every channel, as it does in photographs; a network that sees grey alone otherwise
  draws in the channel that weighs most in grey, in green and magenta.

  Args:
    image: [B, H, W, C].
    key: the randomness.
    share: in [0, 1], of the mixture.

  Returns:
    [B, H, W, C].
  """
  weights = jax.random.dirichlet(key, jnp.ones(image.shape[-1]), (len(image),))
  mixture = jnp.sum(image * weights[:, None, None], -1, keepdims=True)
  return (1 - share) * image + share * mixture


def jpeg_rounding(image: jax.Array, strength: jax.Array) -> jax.Array:
  """What JPEG's quantiser leaves of images: cosine coefficients of 8 x 8 blocks, rounded to multiples of its table.

  Every channel is treated as luminance, so that colour is not halved in size. Gradients pass the rounding.

  Args:
    image: [B, H, W, C] float32 in [0, 1].
    strength: [B], at least 0; the table is multiplied by it. 1 is quality 50, 5 is quality 10, 0 leaves the image.

  Returns:
    [B, H, W, C] float32, slightly outside [0, 1] in places.

  Source: ITU-T T.81, A.3.3 (transform) and Table K.1; straight-through as in Shin and Song 2017.
  """
  height, width = image.shape[1:3]
  padded = jnp.pad(image, ((0, 0), (0, -height % 8), (0, -width % 8), (0, 0)), mode="edge")
  blocks = padded.reshape(len(image), padded.shape[1] // 8, 8, padded.shape[2] // 8, 8, -1)
  transform = jnp.asarray(_COSINES)
  both = lambda x, m: jnp.einsum("ui,bhiwjc,vj->bhuwvc", m, x, m, precision=lax.Precision.HIGHEST)
  coefficients = both(blocks - _MIDDLE, transform)
  step = jnp.maximum(strength, 1e-6)[:, None, None] * jnp.asarray(_TABLE, jnp.float32) / 255
  step = step[:, None, :, None, :, None]
  rounded = coefficients + lax.stop_gradient(jnp.rint(coefficients / step) * step - coefficients)
  return (both(rounded, transform.T) + _MIDDLE).reshape(padded.shape)[:, :height, :width]


def mirrored(key: jax.Array, settings: Augmentation, count: int) -> jax.Array:
  """bool [count]: which faces `augment_face` mirrors with that key."""
  return jax.random.bernoulli(jax.random.split(key)[0], settings.flip, (count,))


def augment_face(face: Face, key: jax.Array, settings: Augmentation) -> Face:
  """The faces mirrored and changed in contrast and brightness; mask and eyes go along.

  Args:
    face: Face with leading dimension [B].
    key: the randomness.
    settings: flip, contrast and brightness of them are used, shift, scale, blur and noise are not.
  """
  _, light_key = jax.random.split(key)
  width = face.image.shape[-2]
  flip = mirrored(key, settings, len(face.image))

  def pick(mirrored, plain):
    return jnp.where(flip.reshape(-1, *(1,) * (plain.ndim - 1)), mirrored, plain)

  # Columns are counted from the border, pixel i has its centre at i + 0.5. The eye at the image's left comes first, so
  # that a mirrored pair also changes places.
  eyes = face.eyes[:, jnp.array([2, 3, 0, 1])] * jnp.array([-1, 1, -1, 1]) + jnp.array([1, 0, 1, 0]) * width
  image = pick(face.image[:, :, ::-1], face.image)
  light = Augmentation(contrast=settings.contrast, brightness=settings.brightness)
  return Face(
    augment(image, light_key, light),
    pick(face.mask[:, :, ::-1], face.mask),
    pick(eyes, face.eyes),
  )


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
