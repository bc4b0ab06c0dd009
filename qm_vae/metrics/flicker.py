"""How restless a clip has become, in NumPy on the host."""

import itertools

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import intervals

BLOCK = 10  # frames; successive differences depend on each other over less than that at usual rates


def frame_difference(clip, mask=None) -> np.ndarray:
  """Mean absolute difference of successive frames, grey levels: [T - 1] of uint8 [T, H, W, 3].

  Args:
    clip: aligned faces, so that what moves is the face's inside, not the head.
    mask: [H, W] or [T, H, W], bool or {0, 1}: what counts, of the later frame; None: all.

  Raises:
    ValueError: for fewer than two frames, a mask of another shape, or one that is empty in a frame.
  """
  clip = np.asarray(clip)
  if clip.ndim != 4 or len(clip) < 2:
    raise InputError(f"a clip of shape {clip.shape}; give [T, H, W, 3] with two frames or more")
  step = np.stack([np.abs(b.astype(np.int16) - a).mean(-1) for a, b in itertools.pairwise(clip)])
  if mask is None:
    return step.mean((1, 2))
  mask = np.asarray(mask, bool)
  if mask.shape not in (clip.shape[1:3], clip.shape[:3]):
    raise InputError(f"a mask of shape {mask.shape} for a clip of shape {clip.shape}; give [H, W] or [T, H, W]")
  mask = mask[1:] if mask.ndim == 3 else np.broadcast_to(mask, step.shape)
  if not mask.any((1, 2)).all():
    raise InputError("a mask that is empty in some frame; leave out the frames without a face")
  return (step * mask).sum((1, 2)) / mask.sum((1, 2))


def flicker(before, after, mask=None, seed: int = 0, resamples: int = 2000) -> dict:
  """Mean frame difference after de-identification over that before: 1 as calm as the original, more flickers.

  Args:
    before: uint8 [T, H, W, 3], aligned faces of the clip.
    after: the same, of the protected clip, by the same alignment.
    mask: as for `frame_difference`.
    seed: of the bootstrap.
    resamples: of the bootstrap, >= 1.

  Returns:
    {"value", "n", "low", "high", "method"}; n is T - 1; value NaN where the original does not change at all. The
    interval is a bootstrap of ten successive differences at a time, around the end of the clip; it says how sure the
    ratio is for this clip, not for others.

  Raises:
    ValueError: for clips of different shape, and as `frame_difference`.

  Source: Politis and Romano 1992, "A circular block-resampling procedure for stationary data".
  """
  if np.shape(before) != np.shape(after):
    raise InputError(f"clips of shapes {np.shape(before)} and {np.shape(after)}; give the same frames")
  old, new = frame_difference(before, mask), frame_difference(after, mask)
  n = len(old)
  if not old.sum():
    return {"value": np.nan, "n": n, "low": np.nan, "high": np.nan, "method": "none"}
  block = min(BLOCK, n)
  start = np.random.default_rng(seed).integers(n, size=(resamples, -(-n // block), 1))
  drawn = ((start + np.arange(block)) % n).reshape(resamples, -1)[:, :n]
  with np.errstate(divide="ignore", invalid="ignore"):
    ratios = new[drawn].sum(1) / old[drawn].sum(1)
  low, high = np.percentile(ratios, [50 - intervals.LEVEL / 2, 50 + intervals.LEVEL / 2])
  value = float(new.sum() / old.sum())
  return {"value": value, "n": n, "low": float(low), "high": float(high), "method": "block_bootstrap"}
