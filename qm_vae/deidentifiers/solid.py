"""One colour for everybody."""

import functools

import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region


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


def make(*, level: float = 0.0) -> types.Deidentifier:
  """A plain area of brightness `level`.

  Raises:
    ValueError: unless 0 <= level <= 1.
  """
  if not 0 <= level <= 1:
    raise ValueError(f"solid: level {level!r} must lie in [0, 1]; try 0, which is black")
  return types.Deidentifier((), functools.partial(solid, level=float(level)))
