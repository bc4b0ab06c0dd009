"""Vector quantization: each encoding is replaced by the nearest of K learned codes."""

import chex
import jax
import jax.numpy as jnp

from qm_vae import types
from qm_vae.errors import InputError
from qm_vae.quantizers import ema
from qm_vae.quantizers.estimator import ESTIMATORS
from qm_vae.quantizers.nearest import nearest

CODEBOOKS = ("ema", "gradient")
JITTER = 0.01  # of the encodings' standard deviation, sets apart codes that start from the same encoding


def unit(x):
  """`x` [..., D] scaled to length 1; zero vectors stay zero."""
  # The bound stands inside the root, whose slope at 0 would make the gradient NaN.
  return x / jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(x), -1, keepdims=True), 1e-12))


def _unit_alone(x):
  """`unit`, compiled apart from its surroundings, so that training and decoding round alike."""
  return jax.lax.optimization_barrier(jax.jit(unit)(jax.lax.optimization_barrier(x)))


def draw_codebook(key, z, num_codes):
  """A codebook of encodings: distinct ones while they last, then again with a little jitter.

  Args:
    key: draws them.
    z: [N, D] float32 encodings, N >= 1.
    num_codes: K.

  Returns:
    [K, D] float32.
  """
  key_order, key_jitter = jax.random.split(key)
  order = jnp.resize(jax.random.permutation(key_order, len(z)), num_codes)
  repeated = (jnp.arange(num_codes) >= len(z))[:, None]
  jitter = JITTER * jnp.std(z, 0) * jax.random.normal(key_jitter, (num_codes, z.shape[-1]))
  return z[order] + jnp.where(repeated, jitter, 0.0)


def make(
  *,
  num_codes: int = 512,
  code_dim: int = 64,
  codebook: str = "ema",
  decay: float = 0.99,
  epsilon: float = 1e-5,
  dead_code_threshold: float = 0.2,
  normalize: bool = False,
  estimator: str = "straight_through",
  chunk: int = 1024,
) -> types.Quantizer:
  """A vector quantizer.

  Args:
    num_codes: K.
    code_dim: D, channels of the encodings; the model projects to it.
    codebook: `ema`: params are (), the carried state is `ema.State`, and the codebook term is reported without a
      gradient. `gradient`: params are {"codebook": [K, D]}, trained by Eq. (7)'s third term, and the state is ().
    decay: of the moving averages (`ema` only).
    epsilon: smoothing of the counts (`ema` only).
    dead_code_threshold: codes used less than this share of the mean are restarted (`ema` only); 0 never restarts.
    normalize: encodings and codes are scaled to length 1 before they are compared, so the angle decides.
    estimator: `straight_through` or `rotation`.
    chunk: encodings compared at once, at most; see `nearest`.

  Raises:
    ValueError: for an option out of range; by `init` and `apply` for encodings without D channels.

  Source: van den Oord et al. 2017; Qiu et al. 2022, Sec. 4.2, Eq. (5) to (7).
  """
  _check(num_codes, code_dim, codebook, decay, epsilon, dead_code_threshold, estimator, chunk)
  learned = codebook == "gradient"

  def check_channels(z):
    if z.shape[-1] != code_dim:
      raise InputError(f"vq: encodings have {z.shape[-1]} channels, code_dim is {code_dim}; project them to code_dim")

  def codes_of(params, state):
    if not learned:
      return state.codebook  # ema.update leaves unit codes in it where they are wanted
    return _unit_alone(params["codebook"]) if normalize else params["codebook"]

  def init(key, z_e):
    check_channels(z_e)
    if not len(z_e):
      raise InputError("vq: the codebook starts from encodings, and there are none; pass a batch that is not empty")
    z = z_e.astype(jnp.float32)
    codes = draw_codebook(key, unit(z) if normalize else z, num_codes)
    codes = unit(codes) if normalize else codes
    return ({"codebook": codes}, ()) if learned else ((), ema.start(codes))

  def apply(params, state, z_e, key, *, train, mask=None):
    check_channels(z_e)
    if mask is not None:
      chex.assert_shape(mask, z_e.shape[:1])
    batch, *grid, _ = z_e.shape
    z = z_e.astype(jnp.float32)
    z = unit(z) if normalize else z
    codes = codes_of(params, state)
    flat = z.reshape(-1, code_dim)
    ids = nearest(flat, codes, chunk)
    e = jnp.take(codes, ids, axis=0).reshape(z.shape)
    z_fixed, e_fixed = jax.lax.stop_gradient((z, e))
    e_trained = e if learned else e_fixed
    axes = tuple(range(1, z.ndim))
    weight = jnp.ones(batch) if mask is None else mask.astype(jnp.float32)
    tokens = jnp.repeat(weight, len(flat) // max(batch, 1))
    counts = jax.ops.segment_sum(tokens, ids, num_codes)
    if train and not learned and batch:
      state = advance(state, key, z_fixed, ids, tokens, counts, weight)
    return types.Quantized(
      z_q=ESTIMATORS[estimator](z, e_fixed),
      ids=ids.reshape(batch, *grid),
      codebook=jnp.mean(jnp.square(z_fixed - e_trained), axes),
      commitment=jnp.mean(jnp.square(z - e_fixed), axes),
      counts=counts,
      state=state,
    )

  def advance(state, key, z, ids, tokens, counts, mask):
    flat = z.reshape(-1, code_dim)
    sums = jax.ops.segment_sum(jnp.where(tokens[:, None] > 0, flat, 0.0), ids, num_codes)
    new = ema.update(state, counts, sums, decay=decay, epsilon=epsilon)
    if normalize:
      new = new._replace(codebook=unit(new.codebook))
    if dead_code_threshold:
      new = ema.restart(new, key, z.reshape(len(z), -1, code_dim), mask, share=dead_code_threshold)
    is_empty = jnp.sum(counts) == 0  # a batch of padding alone
    return jax.tree.map(lambda old, fresh: jnp.where(is_empty, old, fresh), state, new)

  def decode(params, state, ids):
    return jnp.take(codes_of(params, state), ids, axis=0)

  return types.Quantizer(init, apply, decode, num_codes)


def _check(num_codes, code_dim, codebook, decay, epsilon, dead_code_threshold, estimator, chunk):
  """Raises ValueError for the first option out of range."""
  for name, value in (("num_codes", num_codes), ("code_dim", code_dim), ("chunk", chunk)):
    if int(value) != value or value < 1:
      raise InputError(f"vq: {name} {value!r} must be a whole number >= 1")
  for name, value, allowed in (("codebook", codebook, CODEBOOKS), ("estimator", estimator, tuple(ESTIMATORS))):
    if value not in allowed:
      raise InputError(f"vq: {name} {value!r} is unknown; choose one of {', '.join(allowed)}")
  for name, value, usual in (("decay", decay, 0.99), ("dead_code_threshold", dead_code_threshold, 0.2)):
    if not 0 <= value < 1:
      raise InputError(f"vq: {name} {value!r} must lie in [0, 1); try {usual}")
  if not epsilon > 0:
    raise InputError(f"vq: epsilon {epsilon!r} must be > 0; try 1e-5")
