"""Examples on the host, batch by batch."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.errors import InputError


def epoch_order(num: int, seed: int, epoch: int) -> np.ndarray:
  """A permutation int64 [num] that depends on the seed and the epoch alone, so that a resumed run sees the same one."""
  return np.random.default_rng((seed, epoch)).permutation(num)


def batches(
  examples: types.Examples, positions: np.ndarray, batch_size: int, *, pad: bool, local_rows: slice = slice(None)
) -> Iterator[dict[str, np.ndarray]]:
  """Batches of one size, in the order of `positions`.

  Args:
    examples: what is batched; FaceSet gives image uint8 [B, S, S, 3], mask uint8 [B, S, S, 1], eyes float32 [B, 4],
      identity and label int32 [B].
    positions: integers [N] in [0, len(examples)).
    batch_size: B, at least 1.
    pad: True fills the last batch by repeating its first example with `_mask` 0 (evaluation: every face counts once);
      False leaves an incomplete last batch out (training: every step sees B faces).
    local_rows: the rows of each batch that are loaded and given, where others load the rest.

  Returns:
    An iterator over dictionaries of arrays [B, ...]: what `examples.batch` gives, and `_mask` float32 [B], 1 for an
    example and 0 for padding.

  Raises:
    ValueError: for a batch size below 1, or with `pad=False` for fewer faces than one batch holds.
  """
  positions = np.asarray(positions, np.int64)
  if batch_size < 1:
    raise InputError(f"batch_size is {batch_size}; it must be at least 1")
  if not pad and len(positions) < batch_size:
    raise InputError(
      f"{len(positions)} examples do not fill one batch of {batch_size}; lower batch_size or use more images"
    )
  return _batches(examples, positions, batch_size, pad, local_rows)


def _batches(examples, positions, batch_size, pad, local_rows):
  for start in range(0, len(positions), batch_size):
    chosen = positions[start : start + batch_size]
    missing = batch_size - len(chosen)
    if missing and not pad:
      return
    rows = np.concatenate([chosen, np.repeat(chosen[:1], missing)])[local_rows]
    batch = examples.batch(rows)
    batch["_mask"] = (np.arange(batch_size) < len(chosen)).astype(np.float32)[local_rows]
    yield batch


def to_face(batch: dict[str, jax.Array]) -> types.Face:
  """The batch as the device's Face: image and mask float32, image scaled to [0, 1]; called inside the jitted step.

  Args:
    batch: as `batches` yields it. Sending uint8 and dividing here costs a quarter of the transfer of float32.

  Returns:
    Face with image [B, S, S, 3], mask [B, S, S, 1] and eyes [B, 4].
  """
  return types.Face(
    image=jnp.asarray(batch["image"], jnp.float32) / 255,
    mask=jnp.asarray(batch["mask"], jnp.float32),
    eyes=jnp.asarray(batch["eyes"], jnp.float32),
  )
