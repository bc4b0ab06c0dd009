"""The attacker who learns a linear map from embeddings of protected faces to embeddings of clear ones."""

import numpy as np

from qm_vae.privacy import contract, protocol

MIN_PEOPLE = 10
"""Fewest people with two pictures or more from whom the map is learnt."""

PENALTIES = np.geomspace(1e-4, 1e2, 13)
"""Ridge penalties to choose from, shares of the mean eigenvalue of the protected embeddings' covariance."""

_SPECTRUM = 1e-10  # share of the largest singular value below which a direction is none


def make(tools) -> contract.Attacker:
  """Maps protected embeddings onto clear ones by ridge regression and compares by the cosine.

  It costs seconds, trains no network, and needs no access to the face recogniser beyond its answers. The penalty is
  the one of PENALTIES with the least generalised cross-validation error on the attack-training faces.

  Source: Hoerl and Kennard 1970; Golub, Heath and Wahba 1979 for the penalty.
  """

  def fit(train):
    train = train.take(protocol.several_faces(train.identity))
    x = tools.embed(train.protected, train.protected_eyes).astype(np.float64)
    y = tools.embed(train.original, train.eyes).astype(np.float64)
    to_clear = ridge(x, y)

    def scores(gallery, probe):
      mapped = _unit(to_clear(tools.embed(probe.protected, probe.protected_eyes)))
      return mapped @ _unit(tools.embed(gallery.original, gallery.eyes) - y.mean(0)).T

    return contract.Attack(scores, ())

  unmet_requirements = lambda train: protocol.unmet_requirements(train.identity, MIN_PEOPLE)
  return contract.Attacker(fit, gallery="clear", unmet_requirements=unmet_requirements)


def ridge(x: np.ndarray, y: np.ndarray):
  """The ridge regression of y on x, as a function of further x.

  Args:
    x: float64 [N, D].
    y: float64 [N, E].

  Returns:
    x [M, D] -> predicted y less the mean of y, [M, E].
  """
  centre, (u, s, vt) = x.mean(0), np.linalg.svd(x - x.mean(0), full_matrices=False)
  kept = s > _SPECTRUM * max(s.max(initial=0.0), np.finfo(float).tiny)
  u, s, vt = u[:, kept], s[kept], vt[kept]
  target = y - y.mean(0)
  onto = u.T @ target
  outside = np.square(target).sum() - np.square(onto).sum()  # what no linear map of x explains
  scale = np.square(s).mean() if len(s) else 1.0

  def error(penalty):
    shrink = penalty * scale / (np.square(s) + penalty * scale)
    residual = np.square(shrink[:, None] * onto).sum() + outside
    return residual / max(len(x) - 1 - (1 - shrink).sum(), 1e-9) ** 2

  best = min(PENALTIES, key=error) * scale
  weights = vt.T @ ((s / (np.square(s) + best))[:, None] * onto)
  return lambda further: (np.asarray(further, np.float64) - centre) @ weights


def _unit(x):
  return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
