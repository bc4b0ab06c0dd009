"""Re-identification rates from embeddings: arrays in, plain numbers out."""

import dataclasses
from typing import Any

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics.intervals import Rate
from qm_vae.privacy import ranking, roc


@dataclasses.dataclass(frozen=True)
class Identification:
  """How often people are re-identified in a gallery, and how well their pictures are distinguished."""

  rank_1: Rate  # with its 95 % interval, over people
  rank_5: Rate
  chance: float  # of rank 1: one over the people in the gallery
  eer: float  # equal error rate, 0.5 at chance
  auc: float  # area under the ROC, 0.5 at chance
  num_people: int  # in the gallery
  num_probes: int


def identification(
  probe: Any, gallery: Any, probe_ids: Any, gallery_ids: Any, *, gallery_size: int | None = None
) -> Identification:
  """Closed-set identification of probes by the cosine to the gallery's embeddings.

  A person with several gallery pictures scores by the picture most similar to the probe.

  Args:
    probe: numbers [P, D], embeddings of the pictures to be re-identified.
    gallery: numbers [G, D], embeddings of pictures whose people are known.
    probe_ids: [P], numbers or names of the people; each must be in the gallery.
    gallery_ids: [G], the same.
    gallery_size: people in the gallery, a random choice of those given (exactly, by the hypergeometric distribution);
      None: all of them.

  Raises:
    ValueError: for shapes that do not fit, fewer than two people, or a probe whose person is not in the gallery.

  Examples:
    >>> rates = identification(np.eye(3), np.eye(3), ["a", "b", "c"], ["a", "b", "c"])
    >>> rates.rank_1.value, rates.eer, rates.num_people
    (1.0, 0.0, 3)
  """
  probe, gallery = (_unit(name, x) for name, x in (("probe", probe), ("gallery", gallery)))
  probe_ids, gallery_ids = np.asarray(probe_ids), np.asarray(gallery_ids)
  for name, x, ids in (("probe", probe, probe_ids), ("gallery", gallery, gallery_ids)):
    if ids.shape != (len(x),):
      raise InputError(f"{name}_ids is {list(ids.shape)} for {len(x)} embeddings; give one person for each")
  if probe.shape[1] != gallery.shape[1]:
    raise InputError(f"probe has {probe.shape[1]} dimensions and gallery {gallery.shape[1]}; embed both by one network")
  people, person = np.unique(gallery_ids, return_inverse=True)
  absent = sorted(set(probe_ids.tolist()) - set(people.tolist()))
  if absent:
    raise InputError(f"{absent[0]!r} has a probe but is not in the gallery; add a picture or drop the probe")
  scores = np.full((len(probe), len(people)), -np.inf)
  by_picture = probe @ gallery.T
  for picture, who in enumerate(person):
    scores[:, who] = np.maximum(scores[:, who], by_picture[:, picture])
  given = scores, np.searchsorted(people, probe_ids), np.arange(len(people))
  size = gallery_size or len(people)
  return Identification(
    rank_1=ranking.rank_rate(*given, 1, gallery_size),
    rank_5=ranking.rank_rate(*given, min(5, size), gallery_size),
    chance=1 / size,
    eer=roc.eer(*given),
    auc=roc.auc(*given),
    num_people=size,
    num_probes=len(probe),
  )


def _unit(name, x):
  x = np.asarray(x, np.float64)
  if x.ndim != 2 or not np.isfinite(x).all():
    raise InputError(f"{name} is {list(x.shape)}; it must hold finite numbers [N, D]")
  length = np.linalg.norm(x, axis=1, keepdims=True)
  if not (length > 0).all():
    raise InputError(f"{name} {int(np.argmin(length))} is all zeros, which points nowhere; leave it out")
  return x / length
