"""Finite scalar quantization: every channel is rounded to a few levels; nothing is learned."""

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.errors import InputError
from qm_vae.quantizers.estimator import straight_through

MARGIN = 1e-3  # keeps the bound off the outermost rounding boundary, as published


def bound(z, levels):
  """Squashes each channel to the open interval that rounds to its levels.

  Args:
    z: [..., D] float32.
    levels: int array [D], L.

  Returns:
    [..., D] float32; rounded, one of -(L // 2) .. (L - 1) // 2.

  Source: Mentzer et al. 2023, Eq. (1) and Appendix A.1.
  """
  half = ((levels - 1) * (1 - MARGIN) / 2).astype(np.float32)
  offset = np.where(levels % 2, 0.0, 0.5).astype(np.float32)
  return jnp.tanh(z + np.tan(offset / half)) * half - offset


def make(*, levels: tuple[int, ...] = (8, 5, 5, 5)) -> types.Quantizer:
  """A finite scalar quantizer with prod(levels) codes; encodings have len(levels) channels.

  Params and state are (), and both loss terms are 0: there is no codebook to move.

  Raises:
    ValueError: unless levels are integers >= 2, with a product below 2^31; by `apply` for another number of channels.

  Source: Mentzer et al. 2023, "Finite scalar quantization: VQ-VAE made simple".
  """
  levels = tuple(levels)
  if not levels or any(int(level) != level or level < 2 for level in levels):
    raise InputError(f"fsq: levels {levels!r} must be one whole number >= 2 per channel; try (8, 5, 5, 5)")
  num_codes = int(np.prod([int(level) for level in levels], dtype=object))
  if num_codes >= 2**31:
    raise InputError(f"fsq: levels {levels!r} make {num_codes} codes, more than int32 ids can name; use fewer")
  steps = np.array(levels, np.int32)
  half = steps // 2
  places = np.cumprod([1, *levels[:-1]]).astype(np.int32)  # mixed radix, first channel fastest

  def check_channels(z):
    if z.shape[-1] != len(levels):
      raise InputError(f"fsq: encodings have {z.shape[-1]} channels, levels {levels} need {len(levels)}")

  def init(key, z_e):
    del key
    check_channels(z_e)
    return (), ()

  def decode(params, state, ids):
    del params, state
    digits = ids[..., None] // places % steps
    return (digits - half).astype(jnp.float32) / half.astype(np.float32)

  def apply(params, state, z_e, key, *, train, mask=None):
    del key, train
    check_channels(z_e)
    batch = z_e.shape[0]
    z = bound(z_e.astype(jnp.float32), steps)
    digits = jnp.round(jax.lax.stop_gradient(z)).astype(jnp.int32) + half
    ids = jnp.sum(jnp.clip(digits, 0, steps - 1) * places, -1)
    weight = jnp.ones(batch) if mask is None else mask.astype(jnp.float32)
    tokens = jnp.repeat(weight, ids.size // max(batch, 1))
    return types.Quantized(
      z_q=straight_through(z / half, decode(params, state, ids)),
      ids=ids,
      codebook=jnp.zeros(batch),
      commitment=jnp.zeros(batch),
      counts=jax.ops.segment_sum(tokens, ids.reshape(-1), num_codes),
      state=state,
    )

  return types.Quantizer(init, apply, decode, num_codes)
