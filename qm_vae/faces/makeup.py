"""Where lips, skin and eyes are in a face, and whether two faces wear the same colours there."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

REGIONS = ("lips", "skin", "eyes")
"""The three regions of make-up, in the order of PSGAN; `eyes` is the skin around them."""


class Parts(NamedTuple):
  """Regions and places of a face (or, with leading dimensions, many) on a grid."""

  regions: jax.Array  # [..., 3, h, w] float32 in {0, 1}; no place is in two
  places: jax.Array  # [..., 3, h, w, 136] float32: from every landmark to here, of length 1 in the region, else 0


def _average_landmarks():
  """[68, 2]: x, y of iBUG's 68 landmarks in an average frontal face; the eyes' centres at (-0.5, 0) and (0.5, 0)."""
  angle = np.pi * np.arange(17) / 16
  jaw = np.stack([-1.02 * np.cos(angle), 0.05 + 1.7 * np.sin(angle) ** 0.9], -1)
  mirror = lambda points: np.asarray(points, np.float64)[::-1] * (-1, 1)
  brow = [(-0.85, -0.24), (-0.7, -0.36), (-0.53, -0.4), (-0.36, -0.36), (-0.22, -0.3)]
  nose = [(0, 0), (0, 0.2), (0, 0.4), (0, 0.6), (-0.2, 0.7), (-0.1, 0.74), (0, 0.76), (0.1, 0.74), (0.2, 0.7)]
  left_eye = [(-0.72, 0), (-0.59, -0.08), (-0.41, -0.08), (-0.28, 0.02), (-0.41, 0.07), (-0.59, 0.07)]
  right_eye = [(0.28, 0.02), (0.41, -0.08), (0.59, -0.08), (0.72, 0), (0.59, 0.07), (0.41, 0.07)]
  upper_lip = [(-0.42, 1.05), (-0.27, 0.95), (-0.1, 0.9), (0, 0.92), (0.1, 0.9), (0.27, 0.95), (0.42, 1.05)]
  lower_lip = [(0.27, 1.18), (0.1, 1.24), (0, 1.25), (-0.1, 1.24), (-0.27, 1.18)]
  between = [(-0.36, 1.05), (-0.13, 1.01), (0, 1.02), (0.13, 1.01), (0.36, 1.05), (0.13, 1.1), (0, 1.11), (-0.13, 1.1)]
  return np.concatenate([jaw, brow, mirror(brow), nose, left_eye, right_eye, upper_lip, lower_lip, between])


LANDMARKS = _average_landmarks()


def parts(eyes, shape: tuple[int, int], stride: int) -> Parts:
  """Regions and places of a face, from where its eyes are.

  The average frontal face, turned and scaled so that its eyes stand on those found: no network looks at this one, so an
  open mouth or a turned head is missed.

  Args:
    eyes: [4], see types.Face; pixels of the image.
    shape: height and width of the image.
    stride: pixels of the image for one of the grid, a divisor of both.

  Returns:
    Parts of a grid of h = height / stride rows and w = width / stride columns.

  Source: the places are the relative positions of Jiang et al. 2020 (PSGAN), Sec. 3.3.
  """
  points = landmarks(eyes)
  x, y = (stride * (jnp.arange(side // stride) + 0.5) for side in shape[::-1])
  offset = jnp.stack(jnp.meshgrid(x, y), -1)[:, :, None] - points  # [h, w, 68, 2]
  places = offset.reshape(*offset.shape[:2], -1)
  places = places / jnp.maximum(jnp.linalg.norm(places, axis=-1, keepdims=True), 1e-6)
  found = regions(eyes, shape, stride)
  return Parts(found, places * found[..., None])


def landmarks(eyes):
  """Where the average face's 68 landmarks come to lie for `eyes` [4]: [68, 2], pixels, x and y."""
  middle, (across, down) = (eyes[:2] + eyes[2:]) / 2, eyes[2:] - eyes[:2]
  x, y = jnp.asarray(LANDMARKS, jnp.float32).T
  return middle + jnp.stack([x * across - y * down, x * down + y * across], -1)


def regions(eyes, shape: tuple[int, int], stride: int = 1):
  """Lips, skin, and the skin around the eyes: [3, h, w] float32 in {0, 1}; see `parts`."""
  x, y = (stride * (jnp.arange(side // stride) + 0.5) for side in shape[::-1])
  x, y = jnp.meshgrid(x, y)
  # A pixel's place in the average face: the offset from between the eyes, divided by the eye line as a complex number.
  (across, down), middle = eyes[2:] - eyes[:2], (eyes[:2] + eyes[2:]) / 2
  x, y, squared = x - middle[0], y - middle[1], jnp.maximum(across**2 + down**2, 1e-6)
  u, v = (x * across + y * down) / squared, (y * across - x * down) / squared
  ellipse = lambda u, v, radius_u, radius_v: jnp.square(u / radius_u) + jnp.square(v / radius_v) <= 1
  face, lips = ellipse(u, v - 0.45, 1.02, 1.3), ellipse(u, v - 1.07, 0.42, 0.18)
  from_eye = jnp.abs(u) - 0.5
  eye, brow = ellipse(from_eye, v, 0.23, 0.09), (jnp.abs(from_eye) < 0.33) & (jnp.abs(v + 0.35) < 0.06)
  around = (jnp.abs(from_eye) <= 0.43) & (jnp.abs(v) <= 0.29) & face & ~eye & ~brow
  skin = face & ~lips & ~around & ~eye & ~brow
  return jnp.stack([lips, skin, around]).astype(jnp.float32)


def histogram_loss(image, reference, region, reference_region):
  """How far a region's colours are from having the distribution that they have in a reference.

  Each channel of the region is compared with itself after histogram matching to the reference's region, through which
  no gradient flows.

  Args:
    image: [H, W, 3] in [0, 1].
    reference: [H', W', 3] in [0, 1].
    region: [H, W] in {0, 1}.
    reference_region: [H', W'] in {0, 1}.

  Returns:
    float32, grey levels of 0..255, the mean over all pixels of the image, inside and out; 0 where a region is empty.

  Source: Li et al. 2018 (BeautyGAN), Eq. (6); Jiang et al. 2020 (PSGAN), Eq. (9).
  """
  image, reference = 255 * jnp.clip(image, 0, 1), 255 * jnp.clip(reference, 0, 1)
  matched = jax.vmap(_matched, (-1, -1, None, None), -1)(image, reference, region, reference_region)
  difference = jnp.abs(image - jax.lax.stop_gradient(matched)) * region[..., None]
  some = (jnp.sum(region) > 0) & (jnp.sum(reference_region) > 0)
  return jnp.where(some, jnp.mean(difference), 0.0)


def _matched(channel, reference, region, reference_region):
  """[H, W]: each grey level of the region replaced by the one that stands as high in the reference's order."""

  def share(values, weight):
    counts = jnp.zeros(256).at[_level(values).ravel()].add(weight.ravel())
    return jnp.cumsum(counts) / jnp.maximum(jnp.sum(counts), 1.0)

  # 1e-6, so that the rounding of equal shares does not lift a level by one.
  table = jnp.searchsorted(share(reference, reference_region), share(channel, region) - 1e-6)
  return jnp.minimum(table, 255)[_level(channel)].astype(jnp.float32)


def _level(values):
  return jnp.clip(values, 0, 255).astype(jnp.int32)
