"""A black band over the eyes."""

import functools
from typing import Annotated

import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.options import POSITIVE, Option, member


def blindfold(params, face, key, *, height=0.6):
  """Sets the rows of the eye line to black, across the whole region.

  The band reaches from `height / 2` eye distances above the higher eye to as much below the lower one, so that a tilted
  head is covered as well as an upright one.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1], mask [H, W, 1] in {0, 1} and eyes [4] in pixels of the crop.
    key: unused; every de-identifier is called alike.
    height: height of the band over level eyes, as a fraction of the distance between the eyes.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Qiu et al. 2022, Sec. 3.1, Eq. (1): the rows of the eyes are set to 0.
  """
  del params, key
  x0, y0, x1, y1 = (face.eyes[..., i] for i in range(4))
  reach = 0.5 * height * jnp.hypot(x1 - x0, y1 - y0)
  rows = jnp.arange(face.image.shape[-3], dtype=jnp.float32)[:, None, None]
  band = (rows >= jnp.minimum(y0, y1) - reach) & (rows <= jnp.maximum(y0, y1) + reach)
  return region.write_inside(face, jnp.where(band, 0.0, face.image))


@member()
def make(*, height: Annotated[float, Option(POSITIVE, "of the distance between the eyes")] = 0.6) -> types.Deidentifier:
  """A blindfold `height` eye distances tall.

  Raises:
    ValueError: unless height > 0.
  """
  return types.Deidentifier((), functools.partial(blindfold, height=float(height)), needs=("eyes",))
