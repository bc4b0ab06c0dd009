"""One colour for everybody."""

import functools
from typing import Annotated

import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.options import Option, between, member


def solid(params, face, key, *, level=0.0):
  """Replaces the region by one grey level: nothing of the face is left, over however many frames.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.
    level: brightness in [0, 1], 0 black.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.
  """
  del params, key
  return region.write_inside(face, jnp.full_like(face.image, level))


@member(removes_identity=True)
def make(*, level: Annotated[float, Option(between(0, 1), "brightness")] = 0.0) -> types.Deidentifier:
  """A plain area of brightness `level`.

  Raises:
    ValueError: unless 0 <= level <= 1.
  """
  return types.Deidentifier((), functools.partial(solid, level=float(level)))
