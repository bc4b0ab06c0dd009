"""A face put in the place of another: a soft region from brow to chin, in the other's light."""

import jax.numpy as jnp

from qm_vae.faces import shape

LIGHTS = ("none", "color", "gradient")
"""What of the original's light `relight` brings back: nothing; the mean and half of the spread of each colour; or all
that is coarser than `_COARSE` eye distances."""

_FOREHEAD = 0.3  # eye distances by which the region reaches above the brows
_INSET, _EDGE = 0.0, 0.22  # eye distances: of the region's border inside the outline, and width of its soft edge
_COARSE = 0.9  # eye distances, standard deviation of the Gaussian
_SPREAD = 0.5  # share of the original's contrast that is taken over
_LEAST = 0.15  # of a crop: a face from brow to chin takes a fifth to half of one
_MIDDLE = 0.1  # sides of the crop: a square of twice as many around its middle is always face


def region(landmarks, size):
  """Where a face is replaced: 1 from brow to chin, falling to 0 at the outline of the landmarks.

  Args:
    landmarks: [68, 2], pixels.
    size: (height, width), pixels.

  Returns:
    [height, width, 1] float32 in [0, 1]; 0 outside the outline.
  """
  eyes = shape.eyes_of(landmarks)
  distance = jnp.maximum(jnp.hypot(eyes[2] - eyes[0], eyes[3] - eyes[1]), 1.0)
  up = (eyes[:2] + eyes[2:]) / 2 - landmarks[8]
  up = up / jnp.maximum(jnp.linalg.norm(up), 1e-6)
  brows = landmarks[26:16:-1] + _FOREHEAD * distance * up
  inside = _depth(jnp.concatenate([landmarks[:17], brows]), size) / distance
  share = jnp.clip((inside - _INSET) / _EDGE, 0, 1)
  return (share * share * (3 - 2 * share))[..., None]


def relight(made, original, weight, light, distance):
  """`made` with the original's light, as far as `light` says.

  Args:
    made: [H, W, 3] in [0, 1].
    original: [H, W, 3] in [0, 1].
    weight: [H, W, 1] in [0, 1], the region that counts.
    light: one of LIGHTS.
    distance: between the eyes, pixels.

  Returns:
    [H, W, 3], of any range.
  """
  if light == "none":
    return made
  if light == "gradient":
    return made + _low(original - made, weight, _COARSE * distance)
  total = jnp.maximum(weight.sum(), 1e-3)
  mean = lambda x: jnp.sum(x * weight, (0, 1)) / total
  middle, wanted = mean(made), mean(original)
  own, other = (jnp.sqrt(mean(jnp.square(x - m)) + 1e-6) for x, m in ((made, middle), (original, wanted)))
  return (made - middle) * (1 + _SPREAD * (other / own - 1)) + wanted


def composite(made, original, landmarks, light):
  """The original with its face replaced by that of `made`; all of it in one colour where the landmarks fit no face.

  A crop is made around a face. Landmarks that leave its middle out, or cover little of it, are wrong, and what they
  leave would be shown.

  Args:
    made: [H, W, 3] in [0, 1], a face in the place of the original's.
    original: [H, W, 3] in [0, 1].
    landmarks: [68, 2] of the original, pixels.
    light: one of LIGHTS.

  Returns:
    [H, W, 3] float32 in [0, 1].
  """
  weight = region(landmarks, original.shape[:2])
  eyes = shape.eyes_of(landmarks)
  lit = relight(made, original, weight, light, jnp.hypot(eyes[2] - eyes[0], eyes[3] - eyes[1]))
  replaced = original + weight * (jnp.clip(lit, 0, 1) - original)
  return jnp.where(_fits(weight), replaced, jnp.mean(original, (0, 1)))


def _fits(weight):
  """Whether a region [H, W, 1] may be that of the face in the middle of its crop."""
  low, high = (tuple(round(n * (0.5 + sign * _MIDDLE)) for n in weight.shape[:2]) for sign in (-1, 1))
  return (weight.mean() >= _LEAST) & jnp.all(weight[low[0] : high[0], low[1] : high[1]] > 0)


def _depth(polygon, size):
  """How far inside a polygon [N, 2] every pixel is, [height, width] in pixels: 0 on its border, negative outside."""
  rows, columns = jnp.mgrid[: size[0], : size[1]] + 0.5
  place = jnp.stack([columns, rows], -1)[..., None, :]
  start, end = polygon, jnp.roll(polygon, -1, 0)
  side, offset = end - start, place - start
  along = jnp.clip(jnp.sum(offset * side, -1) / jnp.maximum(jnp.sum(side**2, -1), 1e-6), 0, 1)
  nearest = jnp.min(jnp.sum((offset - along[..., None] * side) ** 2, -1), -1)
  rising = (start[:, 1] <= place[..., 1]) != (end[:, 1] <= place[..., 1])
  height = jnp.where(side[:, 1] == 0, 1.0, side[:, 1])
  crossed = place[..., 0] < start[:, 0] + (place[..., 1] - start[:, 1]) / height * side[:, 0]
  within = jnp.sum(rising & crossed, -1) % 2 == 1
  return jnp.sqrt(nearest) * jnp.where(within, 1.0, -1.0)


def _low(image, weight, sigma):
  """The image's coarse part inside a region, by a Gaussian that sees nothing of what lies outside it."""
  height, width = image.shape[:2]
  kernel = lambda n: jnp.exp(-0.5 * jnp.square((jnp.arange(n)[:, None] - jnp.arange(n)) / jnp.maximum(sigma, 0.5)))
  blur = lambda x: jnp.einsum("ij,jkc,kl->ilc", kernel(height), x, kernel(width))
  return blur(image * weight) / jnp.maximum(blur(weight), 1e-6)
