"""Where a de-identifier may write."""

import jax
import jax.numpy as jnp


def write_inside(face, changed):
  """`changed` inside the face's mask, the face's image elsewhere.

  Args:
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    changed: [H, W, 3] float32, of any range; clipped to [0, 1], which also removes the rounding of a mean.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the image, bit for bit.
  """
  return jnp.where(face.mask > 0, jnp.clip(changed, 0.0, 1.0), face.image)


def ellipse(face):
  """The oval of the face, from brow to chin and from ear to ear, placed by the eyes.

  Args:
    face: Face with image [..., H, W, 3] and eyes [..., 4], pixels.

  Returns:
    [..., H, W, 1] float32 in {0, 1}: 1 inside. Half axes are 1.05 and 1.5 distances between the eyes, and the centre
    lies 0.45 of one below them: an average frontal face, as `faces` places eyes that it does not find.
  """
  left, right = face.eyes[..., :2], face.eyes[..., 2:]
  across = right - left
  distance = jnp.maximum(jnp.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
  unit = across / distance
  down = jnp.stack([-unit[..., 1], unit[..., 0]], -1)
  centre = (left + right) / 2 + 0.45 * distance * down
  height, width = face.image.shape[-3:-1]
  pixels = jnp.stack(jnp.meshgrid(jnp.arange(width), jnp.arange(height)), -1)  # [H, W, 2] as x, y
  offset = pixels - centre[..., None, None, :]
  along = jnp.sum(offset * unit[..., None, None, :], -1) / (1.05 * distance[..., None])
  below = jnp.sum(offset * down[..., None, None, :], -1) / (1.5 * distance[..., None])
  return (jnp.square(along) + jnp.square(below) <= 1)[..., None].astype(jnp.float32)


def repaint(face, size, paint):
  """The region as a network paints it that wants square pictures of one size.

  What lies outside the region is shown to it in the region's mean colour, so nothing from there enters.

  Args:
    face: Face with image [H, W, 3], mask [H, W, 1] and eyes [4].
    size: side that the network wants, pixels.
    paint: (image [size, size, 3] float32 in [0, 1], eyes [4] in its pixels) -> [size, size, 3], of any range.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the image, bit for bit.
  """
  height, width = face.image.shape[:2]
  inside = face.mask > 0
  mean = jnp.sum(jnp.where(inside, face.image, 0.0), (0, 1)) / jnp.maximum(jnp.sum(inside), 1)
  # jax.image.resize leaves out the axes that keep their size.
  shown = jax.image.resize(jnp.where(inside, face.image, mean), (size, size, 3), "linear")
  eyes = face.eyes * jnp.array([size / width, size / height] * 2)
  painted = jax.image.resize(paint(jnp.clip(shown, 0.0, 1.0), eyes), (height, width, 3), "linear")
  return write_inside(face, painted)
