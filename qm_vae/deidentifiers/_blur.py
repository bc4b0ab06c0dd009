"""Gaussian blur."""

import functools
from typing import Annotated

from qm_vae import types
from qm_vae.deidentifiers import gaussian, region
from qm_vae.options import POSITIVE, Option, member


def blur(params, face, key, *, sigma=4.0):
  """Replaces every pixel of the region by a Gaussian mean of the region around it.

  The weights are normalised over the pixels inside the mask: nothing leaks in from outside it, and borders do not
  darken.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.
    sigma: standard deviation of the Gaussian, in pixels of the crop.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Qiu et al. 2022, Sec. 3.1, Eq. (2), with g a Gaussian mean.
  """
  del params, key
  return region.write_inside(face, gaussian.masked_mean(face.image, face.mask > 0, sigma))


@member()
def make(*, sigma: Annotated[float, Option(POSITIVE, "pixels of the crop")] = 4.0) -> types.Deidentifier:
  """A Gaussian blur of `sigma` pixels.

  Raises:
    ValueError: unless sigma > 0.
  """
  return types.Deidentifier((), functools.partial(blur, sigma=float(sigma)))
