"""What every statistic of re-identification takes in, checked once: scores of probes against a gallery."""

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError

ROUNDING = 1e-6
"""Of the largest score: scores no further apart than this are equal. The same two pictures get scores that differ in
the last bits, since matrix products round differently from column to column on some processors."""


def join_ties(scores: np.ndarray) -> np.ndarray:
  """The scores with each run of values that follow each other within ROUNDING set to the lowest of the run.

  Args:
    scores: float64, any shape; NaN stays.

  Returns:
    float64, the same shape; differences larger than ROUNDING of the largest magnitude keep their sign.

  >>> join_ties(np.array([0.5, 0.5 + 1e-9, 0.7])).tolist()
  [0.5, 0.5, 0.7]
  """
  values, place = np.unique(scores, return_inverse=True)
  if len(values) < 2:
    return scores
  apart = np.diff(values) > ROUNDING * np.nanmax(np.abs(values))
  starts = np.concatenate([[True], apart | np.isnan(values[1:])])
  return values[starts][np.cumsum(starts) - 1][place].reshape(scores.shape)


def checked(scores, probe_identity, gallery_identity):
  """The scores, and for each probe where in the gallery its own person stands (its mate).

  Args:
    scores: [P, G], higher means more alike, NaN where the attacker could make nothing of one of the two faces.
    probe_identity: int [P].
    gallery_identity: int [G], each person once; it may hold people without a probe.

  Returns:
    scores float64 [P, G] with ties joined (`join_ties`), mate int [P] in 0..G-1.

  Raises:
    ValueError: for shapes that do not fit, no probe, fewer than two people, an infinite score, an unknown identity
      (-1), a person twice in the gallery, or a probe whose person is not in it.

  >>> checked([[0.9, 0.1], [0.3, 0.4]], [7, 5], [5, 7])[1]
  array([1, 0])
  """
  scores = np.asarray(scores, np.float64)
  probe, gallery = np.asarray(probe_identity).reshape(-1), np.asarray(gallery_identity).reshape(-1)
  if scores.shape != (len(probe), len(gallery)):
    raise InputError(
      f"scores of shape {scores.shape} for {len(probe)} probes and {len(gallery)} gallery faces; give [probes, gallery]"
    )
  if not len(probe):
    raise InputError("no probe: re-identification needs at least one")
  if len(gallery) < 2:
    raise InputError(f"a gallery of {len(gallery)} people names anybody for certain; give two or more")
  if np.isinf(scores).any():
    raise InputError("a score is infinite; give finite scores, and NaN where a face could not be used")
  for kind, identity in (("probe", probe), ("gallery", gallery)):
    if (identity == types.UNKNOWN).any():
      raise InputError(f"{kind} {int(np.argmax(identity == types.UNKNOWN))} has no known identity; leave it out")
  people, column, times = np.unique(gallery, return_index=True, return_counts=True)
  if (times > 1).any():
    raise InputError(f"person {people[times > 1][0]} is {times.max()} times in the gallery; give one face per person")
  place = np.minimum(np.searchsorted(people, probe), len(people) - 1)
  stranger = people[place] != probe
  if stranger.any():
    raise InputError(
      f"person {probe[stranger][0]} has a probe but is not in the gallery; add the face or drop the probe"
    )
  return join_ties(scores), column[place]
