"""Where a de-identifier may write."""

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
