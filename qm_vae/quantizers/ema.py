"""A codebook that follows the encodings by exponential moving averages, and revives codes that nobody uses."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class State(NamedTuple):
  """Codebook and the averages behind it."""

  codebook: jax.Array  # [K, D] float32
  counts: jax.Array  # [K] float32, moving average of how many encodings of a batch chose the code
  sums: jax.Array  # [K, D] float32, moving average of their sum


def start(codebook) -> State:
  """State for a codebook [K, D]: counts of 1, so that the first batches weigh much and later ones less."""
  return State(codebook, jnp.ones(codebook.shape[:1], jnp.float32), codebook)


def update(state, counts, sums, *, decay, epsilon) -> State:
  """The state after one batch.

  Args:
    state: State.
    counts: [K] float32, how many of the batch's encodings chose each code.
    sums: [K, D] float32, their sum per code.
    decay: gamma, share of the old averages that is kept.
    epsilon: Laplace smoothing of the counts.

  Returns:
    State with N_k = gamma N_k + (1 - gamma) n_k, m_k likewise, and e_k = m_k / N_k.

  Source: van den Oord et al. 2017, Appendix A.1; the smoothing is that of their published code.
  """
  new_counts = decay * state.counts + (1 - decay) * counts
  new_sums = decay * state.sums + (1 - decay) * sums
  total = jnp.sum(new_counts)
  smoothed = (new_counts + epsilon) / (total + len(counts) * epsilon) * total
  return State(new_sums / smoothed[:, None], new_counts, new_sums)


def restart(state, key, z, mask, *, share):
  """Puts codes that are hardly used onto encodings of the batch.

  A code is dead when its count falls under `share` of the mean count. That mean starts at 1 and tends to N / K, the
  fair share of a batch of N encodings; measuring against N / K itself would restart nearly every code in the first
  batches, in which all counts are still near 1. A revived code starts with the mean count, as one that is used fairly.

  Args:
    state: State.
    key: draws the encodings.
    z: [B, M, D] float32 encodings of the batch.
    mask: [B] float32, 0 for padded examples, which are never drawn.
    share: threshold in [0, 1); 0 restarts nothing.

  Returns:
    State.
  """
  positions = z.shape[1]
  key_example, key_position = jax.random.split(key)
  shape = state.counts.shape
  real = jnp.argsort(-mask, stable=True)  # unpadded examples first
  some = jax.random.randint(key_example, shape, 0, jnp.maximum(jnp.sum(mask > 0), 1))
  drawn = z[real[some], jax.random.randint(key_position, shape, 0, positions)]
  mean = jnp.mean(state.counts)
  dead = state.counts < share * mean
  counts = jnp.where(dead, mean, state.counts)
  codebook = jnp.where(dead[:, None], drawn, state.codebook)
  return State(codebook, counts, jnp.where(dead[:, None], drawn * mean, state.sums))
