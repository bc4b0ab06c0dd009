"""The nearest code, without ever holding every distance at once."""

import jax
import jax.numpy as jnp

_BLOCK = 2**20  # distances that stay in a cache
_ROWS = 128  # encodings that a matrix product needs to be worth its while
_CODES = _BLOCK // _ROWS  # codes searched at a time, so that so many encodings' distances to them stay in the cache


def nearest(z, codes, chunk=1024):
  """For each encoding the code at the smallest Euclidean distance; the lowest index among equals.

  Minimises 0.5 ||e||^2 - z . e, which orders the codes as ||z - e||^2 does at half its arithmetic.

  Args:
    z: [N, D] encodings, any float dtype.
    codes: [K, D] codes e, any float dtype.
    chunk: encodings compared at once, at most; fewer where their distances would leave the cache: 2^20 distances exist
      at any time, at most.

  Returns:
    [N] int32 in [0, K). Distances are float32 whatever the inputs. No gradient.
  """
  z = jax.lax.stop_gradient(z).astype(jnp.float32)
  codes = jax.lax.stop_gradient(codes).astype(jnp.float32)
  offsets = 0.5 * jnp.sum(jnp.square(codes), -1)
  last = len(codes) - 1
  blocks = -(-len(codes) // _CODES)
  if blocks <= 1:
    return _among(z, codes, offsets, chunk)[1]
  # Block of codes by block, each with all encodings: 32,768 codes take four times as long as 8,192.
  size = -(-len(codes) // blocks)
  missing = blocks * size - len(codes)
  codes = jnp.pad(codes, ((0, missing), (0, 0))).reshape(blocks, size, -1)
  offsets = jnp.pad(offsets, (0, missing), constant_values=jnp.inf).reshape(blocks, size)
  scores, ids = jax.lax.map(lambda block: _among(z, block[0], block[1], chunk), (codes, offsets))  # [blocks, N] each
  ids += size * jnp.arange(blocks, dtype=jnp.int32)[:, None]
  least = jnp.min(scores, 0)
  # The least of nothing but NaN may be NaN or infinite, as the backend has it.
  return jnp.where(least < jnp.inf, _first_of_least(scores, least, ids, last, 0), last)


def _among(z, codes, offsets, chunk):
  """(score of the nearest code, its index), [N] each; see `nearest`."""
  last = len(codes) - 1

  def search(rows):
    # Default precision would compare in TF32 or bfloat16 on accelerators.
    scores = offsets - jnp.matmul(rows, codes.T, precision=jax.lax.Precision.HIGHEST)
    least = jnp.min(scores, -1)
    return least, _first_of_least(scores, least[..., None], jnp.arange(last + 1, dtype=jnp.int32), last, -1)

  # 8192 encodings among 8192 codes take two CPU cores two thirds of the time in blocks of 128 than in blocks of 1024.
  chunk = min(chunk, max(_BLOCK // max(len(codes), 1), _ROWS))
  length, width = z.shape
  if length <= chunk:
    return search(z)
  chunks = -(-length // chunk)
  size = -(-length // chunks)
  padded = jnp.pad(z, ((0, chunks * size - length), (0, 0))).reshape(size, chunks, width)
  # A chunk takes every chunks-th row, so that rows which are spread over devices stay where they are.
  return jax.tree.map(lambda x: x.T.reshape(-1)[:length], jax.lax.map(search, padded.swapaxes(0, 1)))


def _first_of_least(scores, least, ids, last, axis):
  """The smallest of `ids` whose score is the least one, along an axis."""
  # Two plain reductions: XLA's argmin, which carries pairs, is not vectorised on CPUs. A row of NaN equals nothing and
  # gets the last code.
  return jnp.min(jnp.where(scores == least, ids, last), axis)
