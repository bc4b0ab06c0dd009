"""The attacker who looks where eyes do not: the lowest bits and the finest detail, as the files hold them."""

import numpy as np

from qm_vae.privacy import contract, protocol

MIN_PEOPLE = 10
"""Fewest people with two pictures or more from whom the probe learns."""

_MOST = 2000  # faces that teach: at 160 x 160 pixels each is 300 kB, several times over
_LARGEST = 1e4  # of a feature's weight: one that never changes within a person would drown all others


def make(tools) -> contract.Attacker:
  """A linear probe on the least significant bits and on what a small blur takes away.

  Every feature is weighted by how much more it differs between the people of the training faces than between pictures
  of one person (diagonal linear discriminant analysis, Dudoit et al. 2002). Protected faces are then compared with
  protected ones by the cosine of the weighted features, bits and detail added.
  """
  del tools  # neither a recogniser nor a network is needed

  def fit(train):
    train = train.take(protocol.several_faces(train.identity)[:_MOST])
    probes = [_Probe(features, train) for features in (_bits, _detail)]

    def scores(gallery, probe):
      return sum(one(probe) @ one(gallery).T for one in probes)

    return contract.Attack(scores, ())

  unmet_requirements = lambda train: protocol.unmet_requirements(train.identity, MIN_PEOPLE)
  return contract.Attacker(fit, gallery="protected", unmet_requirements=unmet_requirements, recognises=False)


class _Probe:
  """Unit vectors of weighted features; the weights are of the training faces."""

  def __init__(self, features, train):
    x = features(train.pixels)
    _, person, count = np.unique(train.identity, return_inverse=True, return_counts=True)
    self._features, self._mean = features, x.mean(0)
    means = np.zeros((len(count), x.shape[1]), np.float32)
    np.add.at(means, person, x)
    means /= count[:, None]
    within = np.square(x - means[person]).sum(0) / (len(x) - len(count))
    between = (count[:, None] * np.square(means - self._mean)).sum(0) / (len(count) - 1)
    # By chance alone both are equal. A feature that never changes at all tells nothing.
    ratio = np.where(between > 0, between / np.maximum(within, between / _LARGEST + 1e-12), 0)
    self._scale = np.sqrt(np.maximum(ratio - 1, 0) / np.maximum(within, 1e-6)).astype(np.float32)

  def __call__(self, pairs):
    x = (self._features(pairs.pixels) - self._mean) * self._scale
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _bits(pixels):
  """float32 [N, h * w * 3] in {0, 1}: the least significant bit of every value."""
  return (pixels & 1).reshape(len(pixels), -1).astype(np.float32)


def _detail(pixels):
  """float32 [N, h * w * 3], grey levels: every value less the mean of its 3 x 3 neighbourhood, edges repeated."""
  x = np.pad(pixels.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
  rows = x[:, :-2] + x[:, 1:-1] + x[:, 2:]
  mean = (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9
  return (x[:, 1:-1, 1:-1] - mean).reshape(len(pixels), -1)
