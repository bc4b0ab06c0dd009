"""A classical cartoon filter: flat colours and ink lines."""

import functools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import gaussian, region
from qm_vae.options import POSITIVE, Option, between, integer, member

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
PASSES = 2  # of smoothing, each down and across
FIRMNESS = 3.0  # how steeply one tone changes into the next
VIVIDNESS = 1.25  # of the colours, 1 leaves them
DARKER = 0.02  # brightness below its surroundings at which a line is fully drawn, of 0..1


def _flatten(colours, inside, axis, radius, edge):
  """One bilateral mean along `axis`: neighbours count by nearness and by likeness of colour.

  Args:
    colours: list of [H, W], one per channel; planes vectorise where interleaved channels do not.
    inside: [H, W] float32 in {0, 1}.
    axis: 0 or 1.
    radius: reach in pixels.
    edge: see `cartoon`.

  Returns:
    list like `colours`.
  """
  pad = [(radius, radius) if a == axis else (0, 0) for a in range(2)]
  padded = [jnp.pad(plane, pad) for plane in (*colours, inside)]
  # Without the barrier XLA fuses each pass into the next and computes it again for every neighbour.
  colours, padded = jax.lax.optimization_barrier((colours, padded))
  sums, weights = list(colours), jnp.ones_like(inside)
  for offset in range(-radius, radius + 1):
    if offset:
      start = radius + offset
      *others, is_inside = (jax.lax.slice_in_dim(p, start, start + inside.shape[axis], axis=axis) for p in padded)
      distance = sum(jnp.square(other - own) for other, own in zip(others, colours, strict=True))
      # A rational fall-off looks like the bilateral filter's exponential and costs a fraction of it.
      near = float(np.exp(-0.5 * (offset / (0.6 * radius)) ** 2))
      weight = near * is_inside / jnp.square(1.0 + distance / edge**2)
      sums = [total + weight * other for total, other in zip(sums, others, strict=True)]
      weights = weights + weight
  return [total / weights for total in sums]


def _tones(value, levels):
  """`value` in [0, 1] drawn to `levels` tones by a continuous staircase."""
  x = value * (levels - 1)
  step = jnp.clip(jnp.floor(x), 0.0, levels - 2.0)
  # Continuous, so that the last bit of a pixel never decides its tone.
  rise = jnp.tanh(FIRMNESS * (2.0 * (x - step) - 1.0)) / np.tanh(FIRMNESS)
  return (step + 0.5 + 0.5 * rise) / (levels - 1)


def _luma(colours):
  return sum(weight * plane for weight, plane in zip(LUMA, colours, strict=True))


def cartoon(params, face, key, *, levels=6, ink=1.0, edge=0.12):
  """Redraws the region as a cartoon.

  Colours are smoothed by a separable bilateral filter, brightness is drawn to a few tones, and dark lines are laid
  where the picture is darker than its surroundings, by a difference of Gaussians. Nothing outside the mask enters, and
  all lengths grow with the crop.

  Args:
    params: (), nothing is learned.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.
    levels: number of tones of brightness.
    ink: darkness of the lines in [0, 1]; 0 draws none.
    edge: colour distance that smoothing keeps as an edge, of 0..1; the larger, the flatter the face.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Qiu et al. 2022, Sec. 3.1, Eq. (2), with g after Winnemoeller et al. 2006, "Real-time video abstraction".
  """
  del params, key
  region_of = face.mask > 0
  inside = region_of[..., 0].astype(jnp.float32)
  side = min(inside.shape)
  radius = max(1, round(side / 21))
  colours = [face.image[..., c] for c in range(3)]
  for _ in range(PASSES):
    colours = _flatten(_flatten(colours, inside, 0, radius, edge), inside, 1, radius, edge)
  luma = jnp.clip(_luma(colours), 0.0, 1.0)
  # A little light on both sides of the ratio keeps the colour of dark pixels finite.
  gain = (_tones(luma, levels) + 0.05) / (luma + 0.05)
  colours = [gain * plane for plane in colours]
  grey = _luma(colours)
  painted = jnp.stack([grey + VIVIDNESS * (plane - grey) for plane in colours], -1)
  sigma = max(side / 90, 0.6)
  fine, coarse = (gaussian.masked_mean(luma[..., None], region_of, s) for s in (sigma, 1.6 * sigma))
  line = jnp.tanh(jnp.square(jnp.maximum(0.98 * coarse - fine, 0.0) / DARKER))
  return region.write_inside(face, painted * (1.0 - ink * line))


@member()
def make(
  *,
  levels: Annotated[int, Option(integer(2), "tones")] = 6,
  ink: Annotated[float, Option(between(0, 1), "darkness of the lines")] = 1.0,
  edge: Annotated[float, Option(POSITIVE, "colour distance that smoothing keeps, of 0..1")] = 0.12,
) -> types.Deidentifier:
  """A cartoon of `levels` tones with lines of darkness `ink`, smoothed up to a colour distance of `edge`.

  Raises:
    ValueError: unless levels is an integer >= 2, 0 <= ink <= 1 and edge > 0.
  """
  return types.Deidentifier((), functools.partial(cartoon, levels=levels, ink=float(ink), edge=float(edge)))
