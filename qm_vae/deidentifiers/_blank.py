"""A constant image: the control that must protect everybody."""

import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.options import member

GREY = 0.5


def blank(params, face, key):
  """Replaces the region by mid-grey, whatever it showed.

  An attacker must be at chance on this view; a report in which it is not is void. Where the mask does not cover the
  crop the image remains outside it, so the control is constant only over faces that share a full mask.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.
  """
  del params, key
  return region.write_inside(face, jnp.full_like(face.image, GREY))


@member(control=True, removes_identity=True)
def make() -> types.Deidentifier:
  """The control with full protection; it has no options."""
  return types.Deidentifier((), blank)
