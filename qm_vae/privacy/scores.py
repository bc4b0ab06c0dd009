"""What every statistic of re-identification takes in, checked once: scores of probes against a gallery."""

import numpy as np

from qm_vae import types


def checked(scores, probe_identity, gallery_identity):
  """The scores, and for each probe where in the gallery its own person stands (its mate).

  Args:
    scores: [P, G], higher means more alike, NaN where the attacker could make nothing of one of the two faces.
    probe_identity: int [P].
    gallery_identity: int [G], each person once; it may hold people without a probe.

  Returns:
    scores float64 [P, G], mate int [P] in 0..G-1.

  Raises:
    ValueError: for shapes that do not fit, no probe, fewer than two people, an infinite score, an unknown identity
      (-1), a person twice in the gallery, or a probe whose person is not in it.

  >>> checked([[0.9, 0.1], [0.3, 0.4]], [7, 5], [5, 7])[1]
  array([1, 0])
  """
  scores = np.asarray(scores, np.float64)
  probe, gallery = np.asarray(probe_identity).reshape(-1), np.asarray(gallery_identity).reshape(-1)
  if scores.shape != (len(probe), len(gallery)):
    raise ValueError(
      f"scores of shape {scores.shape} for {len(probe)} probes and {len(gallery)} gallery faces; give [probes, gallery]"
    )
  if not len(probe):
    raise ValueError("no probe: re-identification needs at least one")
  if len(gallery) < 2:
    raise ValueError(f"a gallery of {len(gallery)} people names anybody for certain; give two or more")
  if np.isinf(scores).any():
    raise ValueError("a score is infinite; give finite scores, and NaN where a face could not be used")
  for kind, identity in (("probe", probe), ("gallery", gallery)):
    if (identity == types.UNKNOWN).any():
      raise ValueError(f"{kind} {int(np.argmax(identity == types.UNKNOWN))} has no known identity; leave it out")
  people, column, times = np.unique(gallery, return_index=True, return_counts=True)
  if (times > 1).any():
    raise ValueError(f"person {people[times > 1][0]} is {times.max()} times in the gallery; give one face per person")
  place = np.minimum(np.searchsorted(people, probe), len(people) - 1)
  stranger = people[place] != probe
  if stranger.any():
    raise ValueError(
      f"person {probe[stranger][0]} has a probe but is not in the gallery; add the face or drop the probe"
    )
  return scores, column[place]
