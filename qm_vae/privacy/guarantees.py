"""What holds against every attacker, known or not: the mechanisms, their theorems, and the bounds that follow.

Notation: N people, of each of whom one picture is given away; an attacker who knows them all, the mechanism and any
other picture guesses who is on one that was drawn at random. `rank 1` is how often that is right. Codes tell what
somebody looks like (appearance); the service's answer, one of C, is given away beside them as it is, because the method
exists to keep it. Attackers who see both have at most C times the chances (`with_answers`).

What a bound says nothing of: the place, size and pose of the face in its frame, and all that stands around it.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError

MECHANISMS = ("none", "randomized_response", "exponential")
"""Releases of one face at a time; k-same needs all faces at once (`k_same_groups`)."""


def k_same_groups(features: np.ndarray, k: int, within: Sequence[int] | None = None) -> np.ndarray:
  """Groups of at least `k` people who look alike; a picture made for a whole group does not tell its members apart.

  Theorem (Newton et al. 2005, Thm. 2.3). Let what is given away of a person be a function of the group alone, and let
  every group have at least k members. Then rank 1 is at most 1/k for every attacker, on the closed set of all N.
  Proof: all members of a group show the same picture, so an attacker makes one guess for all of them, which is right
  for one at most. With G groups the attacker is right for at most G of N, and N >= k G.

  It says nothing about a set of which an attacker knows that only some members of a group are in it; group within the
  set that is attacked.

  Args:
    features: [N, D], one row a person; who is near is grouped with whom.
    k: at least 1.
    within: [N], for instance what the service answers. People of one value are grouped together while there are k of
      them left (Gross et al. 2005, k-Same-Select); who is left over is grouped across values.

  Returns:
    int64 [N] in [0, G): every number at least k times, disjoint by construction.

  Raises:
    ValueError: for fewer than k people.
  """
  features = np.asarray(features, np.float64)
  if not 1 <= k <= len(features):
    raise InputError(f"k-same needs k from 1 to the number of people, {len(features)}; k is {k}")
  within = np.zeros(len(features), np.int64) if within is None else np.asarray(within)
  groups, left = [], []
  for value in np.unique(within):
    members = np.flatnonzero(within == value)
    if len(members) < k:
      left += members.tolist()
    else:
      groups += _grouped(features, members, k)
  if 0 < len(left) < k:  # nobody to be grouped with: the nearest group takes them
    for person in left:
      centres = np.array([features[group].mean(0) for group in groups])
      groups[int(np.argmin(np.square(centres - features[person]).sum(1)))].append(person)
  elif left:
    groups += _grouped(features, np.array(left), k)
  found = np.full(len(features), -1, np.int64)
  for number, group in enumerate(groups):
    found[group] = number
  return found


def _grouped(features, members, k):
  """Lists of at least k of `members`: the one farthest from all, with the nearest k - 1, and again."""
  groups, free = [], list(members)
  while len(free) >= 2 * k:
    rows = features[free]
    start = int(np.argmax(np.square(rows - rows.mean(0)).sum(1)))
    near = np.argsort(np.square(rows - rows[start]).sum(1), kind="stable")[:k]
    groups.append([free[i] for i in near])
    taken = set(near.tolist())
    free = [person for i, person in enumerate(free) if i not in taken]
  return [*groups, free]


def randomized_response(key: jax.Array, ids: jax.Array, num_codes: int, epsilon: float) -> jax.Array:
  """Each code kept with probability e^epsilon / (e^epsilon + K - 1), else one of the others, all alike.

  Theorem (Kairouz et al. 2014). Each code is epsilon-locally differentially private: for every output o and any two
  inputs i, j, P(o | i) <= e^epsilon P(o | j), since the two probabilities are at most e^epsilon apart.

  Args:
    key: the randomness, never used for other codes: what two draws from one key tell together has no bound.
    ids: integers of any shape in [0, K).
    num_codes: K, at least 2.
    epsilon: nats, at least 0; for each code.

  Returns:
    Integers of the same shape.
  """
  keep_key, other_key = jax.random.split(key)
  keep = jax.random.bernoulli(keep_key, 1 / (1 + (num_codes - 1) * math.exp(-epsilon)), ids.shape)
  other = (ids + jax.random.randint(other_key, ids.shape, 1, num_codes)) % num_codes
  return jnp.where(keep, ids, other)


def exponential(key: jax.Array, z_e: jax.Array, codes: jax.Array, epsilon: float) -> jax.Array:
  """Codes drawn with probability proportional to exp(epsilon u / 2): the nearer to the encoding, the likelier.

  u is 1 for the nearest and 0 for the farthest code, linear in the distance between.

  Theorem (McSherry and Talwar 2007, Thm. 6). u lies in [0, 1], so it changes by at most 1 from any face to any other,
  and each code is epsilon-locally differentially private.

  Args:
    key: the randomness, never used for other codes: what two draws from one key tell together has no bound.
    z_e: [..., D] encodings.
    codes: [K, D].
    epsilon: nats, at least 0; for each code.

  Returns:
    int32 [...] in [0, K).
  """
  distance = jnp.linalg.norm(z_e[..., None, :] - codes, axis=-1)
  low, high = distance.min(-1, keepdims=True), distance.max(-1, keepdims=True)
  nearness = (high - distance) / jnp.maximum(high - low, 1e-12)
  return jax.random.categorical(key, epsilon / 2 * nearness).astype(jnp.int32)


def release(mechanism: str, epsilon: float) -> Callable | None:
  """(key, z_e, codes, ids) -> ids, as generator.make takes it; None for `none`.

  Raises:
    ValueError: for a mechanism that is not in MECHANISMS.
  """
  if mechanism not in MECHANISMS:
    raise InputError(f"release {mechanism!r} is unknown; choose one of {', '.join(MECHANISMS)}")
  if mechanism == "none":
    return None
  if mechanism == "exponential":
    return lambda key, z_e, codes, ids: exponential(key, z_e, codes, epsilon)
  return lambda key, z_e, codes, ids: randomized_response(key, ids, len(codes), epsilon)


def composed(epsilon: float, tokens: int, frames: int = 1) -> float:
  """Nats that all of a person's codes tell together, when each is drawn anew: epsilon x tokens x frames.

  Theorem (Dwork and Roth 2014, Thm. 3.16, basic composition): the epsilons of mechanisms that draw independently add
  up. A track that keeps the codes of its first frame has frames = 1, because copies tell nothing more (Prop. 2.1).
  Pictures whose codes differ and are drawn from one key are neither: nothing is promised of them together.

  Args:
    epsilon: nats for each code.
    tokens: codes of one picture.
    frames: pictures of one person that are given away with codes of their own.

  >>> composed(0.5, tokens=2, frames=3)
  3.0
  """
  return epsilon * tokens * frames


def rank_1_of_epsilon(epsilon: float, people: int) -> float:
  """The highest rank 1 that epsilon-local differential privacy leaves: e^epsilon / (e^epsilon + N - 1).

  Proof: the best guess is right with probability 1/N sum_o max_i P(o | i). Let m_o be that maximum. All other
  P(o | j) are at least m_o e^-epsilon, so sum_i P(o | i) >= m_o (1 + (N - 1) e^-epsilon); summed over o the left side
  is N. What the attacker knows besides does not depend on the draw and changes nothing.

  Args:
    epsilon: nats, of all that is given away (`composed`).
    people: N, at least 1.

  >>> rank_1_of_epsilon(0.0, 100), round(rank_1_of_epsilon(math.log(2), 100), 4)
  (0.01, 0.0198)
  """
  return 1 / (1 + (people - 1) * math.exp(-epsilon))


def rank_1_of_bits(bits: float, people: int) -> float:
  """The highest rank 1 where a picture takes one of 2^bits forms: min(1, 2^bits / N).

  Proof: the attacker makes one guess for each form, and is right for one person for each form at most.

  Args:
    bits: tokens x log2 K (+ log2 C with the answer), see `bits`.
    people: N, at least 1.

  >>> rank_1_of_bits(3.0, 100)
  0.08
  """
  return 1.0 if bits >= math.log2(people) else 2.0**bits / people


def bits(tokens: int, num_codes: int, answers: int = 1) -> float:
  """Bits of the forms that a picture can take: tokens x log2 K + log2 C.

  >>> bits(tokens=2, num_codes=16, answers=2)
  9.0
  """
  return tokens * math.log2(num_codes) + math.log2(answers)


def rank_1_of_k(k: int, people: int) -> float:
  """The highest rank 1 of k-same on the closed set: floor(N / k) / N, at most 1/k; see `k_same_groups`.

  >>> rank_1_of_k(5, 100), rank_1_of_k(3, 100)
  (0.2, 0.33)
  """
  return (people // k) / people


def with_answers(bound: float, answers: int) -> float:
  """The bound of an attacker who is also given the answer, one of C: min(1, C x bound).

  Proof: for each answer a, 1/N sum_o max_i P(o, a | i) <= 1/N sum_o max_i P(o | i) <= bound; there are C answers. It is
  reached where people always give the answer that tells most; what happens in fact is for the attackers to measure.

  >>> round(with_answers(0.02, 7), 3)
  0.14
  """
  return min(1.0, answers * bound)


def rank_1(guarantee: dict, people: int) -> float:
  """The highest rank 1 that a report's guarantee allows in a crowd, with the answer if that is given away too.

  Args:
    guarantee: of QmVaeParts.guarantee: `k`, or `epsilon` and `answers`, or `bits`.
    people: N, at least 1.
  """
  if "k" in guarantee:
    return rank_1_of_k(guarantee["k"], people)
  if "epsilon" in guarantee:
    return with_answers(rank_1_of_epsilon(guarantee["epsilon"], people), guarantee["answers"])
  return rank_1_of_bits(guarantee["bits"], people)
