"""Whether a generator hands out the people it was trained on: nearest training faces, in NumPy on the host."""

import numpy as np

from qm_vae.errors import InputError
from qm_vae.metrics import intervals

FALSE_RATE = 0.01
"""Share of held-out real faces that the threshold takes for a training face."""


def nearest(embeddings, training) -> tuple[np.ndarray, np.ndarray]:
  """Cosine similarity to the most similar training face, float64 [N], and its index, int [N].

  Args:
    embeddings: [N, D], of any length but 0.
    training: [K, D].

  Raises:
    ValueError: for shapes that do not fit, and embeddings of length 0 or not finite.
  """
  embeddings, training = _unit(embeddings), _unit(training)
  if embeddings.shape[1] != training.shape[1]:
    raise InputError(f"embeddings of {embeddings.shape[1]} and {training.shape[1]} numbers; take one recogniser")
  similarity, index = np.empty(len(embeddings)), np.empty(len(embeddings), np.int64)
  for i in range(0, len(embeddings), 256):  # of N x K at once there would be gigabytes
    block = embeddings[i : i + 256] @ training.T
    index[i : i + 256] = block.argmax(1)
    similarity[i : i + 256] = block.max(1)
  return similarity, index


def memorization(
  outputs,
  held_out,
  training,
  output_identity=None,
  held_out_identity=None,
  *,
  false_rate: float = FALSE_RATE,
  seed: int = 0,
  resamples: int = 500,
) -> dict:
  """How much more often an output is as near to a training face as hardly any held-out real face is.

  The threshold is the similarity to the nearest training face that the share `false_rate` of held-out real faces
  exceeds. A generator that knows no training face by heart stays at that rate. Averages of faces are near to many:
  read the rate with that of the aligned mean of the same training faces.

  Args:
    outputs: [N, D] embeddings of what the generator made.
    held_out: [M, D], of real people who are not among the training faces, pictures of the same kind.
    training: [K, D], of the training faces; no person of `held_out` is in it.
    output_identity: int [N], whose face each output was made of; None where nobody repeats.
    held_out_identity: int [M], numbered alike: who is in both sets is drawn in both at once. None as before.
    false_rate: in (0, 1).
    seed: of the bootstrap over people.
    resamples: of the bootstrap, >= 1.

  Returns:
    "threshold": cosine similarity. "outputs": Rate of outputs above it. "held_out": Rate of held-out faces above it,
    `false_rate` but for ties and small M. "difference": {"value", "n", "low", "high", "method"}, the first minus the
    second, the threshold fixed anew in each resample. "auc": the same of the probability that an output is nearer to
    its nearest training face than a held-out face to its own, ties counting half: 0.5 when nothing is memorised.

  Raises:
    ValueError: for fewer than 1 / false_rate held-out faces, `false_rate` outside (0, 1), and as `nearest`.
  """
  if not 0 < false_rate < 1 or len(held_out) * false_rate < 1:
    raise InputError(
      f"a false rate of {false_rate} from {len(held_out)} held-out faces; give one in (0, 1) and at least "
      "1 / false_rate faces"
    )
  ours, theirs = nearest(outputs, training)[0], nearest(held_out, training)[0]
  limit = threshold(theirs, np.ones(len(theirs)), false_rate)
  above, false = ours > limit, theirs > limit
  whose = [_unknown(output_identity, len(ours)), _unknown(held_out_identity, len(theirs))]
  person = intervals.people_of(np.concatenate(whose))
  person, other = person[: len(ours)], person[len(ours) :]
  people, random, drawn = max(person.max(), other.max()) + 1, np.random.default_rng(seed), []
  while len(drawn) < resamples:
    count = np.bincount(random.integers(people, size=people), minlength=people).astype(np.float64)
    if count[person].any() and count[other].any():
      limit_there = threshold(theirs, count[other], false_rate)
      gap = np.average(ours > limit_there, weights=count[person])
      gap -= np.average(theirs > limit_there, weights=count[other])
      drawn.append((gap, auc(ours, theirs, count[person], count[other])))
  values = (above.mean() - false.mean(), auc(ours, theirs, np.ones(len(ours)), np.ones(len(theirs))))
  ends = np.percentile(drawn, [50 - intervals.LEVEL / 2, 50 + intervals.LEVEL / 2], axis=0)
  difference, area = (
    {"value": float(v), "n": len(ours), "low": float(low), "high": float(high), "method": "bootstrap"}
    for v, low, high in zip(values, *ends, strict=True)
  )
  return {
    "threshold": float(limit),
    "outputs": intervals.rate(above, whose[0]),
    "held_out": intervals.rate(false, whose[1]),
    "difference": difference,
    "auc": area,
  }


def threshold(scores, weight, share) -> float:
  """The least of `scores` [M] that at most `share` of the `weight` [M] exceeds."""
  order = np.argsort(scores)[::-1]
  exceeding = np.cumsum(weight[order]) / weight.sum()  # up to and with each
  return float(scores[order][np.searchsorted(exceeding, share + 1e-12, side="right")])


def auc(above, below, weight_above, weight_below) -> float:
  """Probability that a score of `above` [N] exceeds one of `below` [M], ties half, with weights of each."""
  order = np.argsort(below)
  total = np.concatenate([[0.0], np.cumsum(weight_below[order])])
  less, at_most = (total[np.searchsorted(below[order], above, side)] for side in ("left", "right"))
  return float(weight_above @ (less + at_most) / 2 / weight_above.sum() / total[-1])


def _unknown(identity, n):
  identity = np.full(n, -1) if identity is None else np.asarray(identity)
  if len(identity) != n:
    raise InputError(f"{len(identity)} identities for {n} embeddings; give one each")
  return identity


def _unit(embeddings):
  embeddings = np.asarray(embeddings, np.float64)
  if embeddings.ndim != 2 or not len(embeddings):
    raise InputError(f"embeddings of shape {embeddings.shape}; give [N, D] with one or more")
  length = np.linalg.norm(embeddings, axis=1, keepdims=True)
  if not (np.isfinite(length).all() and length.all()):
    raise InputError("embeddings of length 0 or not finite; leave out the faces that gave none")
  return embeddings / length
