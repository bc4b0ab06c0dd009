"""The mechanisms keep what their theorems promise."""

import doctest
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.privacy import guarantees


def test_guarantees_examples_docstrings():
  """The examples of the docstrings."""
  assert doctest.testmod(guarantees).attempted == 6
  assert doctest.testmod(guarantees).failed == 0


@pytest.mark.parametrize("num_people", [10, 11, 53])
@pytest.mark.parametrize("k", [1, 2, 5, 10])
@pytest.mark.parametrize("classes", [1, 3])
def test_guarantees_k_same_groups_disjoint_large(num_people, k, classes):
  """K same groups are disjoint and large and nobody beats one in k."""
  random = np.random.default_rng(num_people + k)
  features, within = random.normal(size=(num_people, 4)), random.integers(0, classes, num_people)
  groups = guarantees.k_same_groups(features, k, within)
  sizes = np.bincount(groups)
  assert len(groups) == num_people and groups.min() == 0 and sizes.min() >= k
  # The best attacker knows the groups, and names one member of the group that the picture shows.
  first = np.array([np.flatnonzero(groups == group)[0] for group in range(len(sizes))])
  rank_1 = np.mean(first[groups] == np.arange(num_people))
  assert rank_1 == len(sizes) / num_people <= guarantees.rank_1_of_k(k, num_people) <= 1 / k


def test_guarantees_k_same_keeps_answer_enough():
  """K same keeps the answer where there are enough who share it."""
  within = np.array([0] * 7 + [1] * 8)
  groups = guarantees.k_same_groups(np.random.default_rng(0).normal(size=(15, 3)), 3, within)
  assert all(len(set(within[groups == group])) == 1 for group in range(groups.max() + 1))
  few = guarantees.k_same_groups(np.arange(9.0)[:, None], 4, np.array([0] * 8 + [1]))
  assert np.bincount(few).min() >= 4  # the one who shares the answer with nobody joined others


def test_guarantees_k_same_groups_look_alike():
  """K same groups those who look alike."""
  features = np.array([0.0, 10.0, 0.1, 10.1, 0.2, 10.2])[:, None]
  groups = guarantees.k_same_groups(features, 3)
  assert len(set(groups[::2])) == len(set(groups[1::2])) == 1 and groups[0] != groups[1]


@pytest.mark.parametrize("k", [0, 4])
def test_guarantees_k_out_range_refused(k):
  """K out of range is refused."""
  with pytest.raises(ValueError, match="from 1 to the number of people, 3"):
    guarantees.k_same_groups(np.zeros((3, 1)), k)


def _response(epsilon, num_codes=5, n=200_000):
  """[K, K] how often each code became which."""
  draw = jax.jit(lambda key, ids: guarantees.randomized_response(key, ids, num_codes, epsilon))
  rows = [draw(jax.random.key(i), jnp.full(n, i)) for i in range(num_codes)]
  return np.stack([np.bincount(row, minlength=num_codes) / n for row in rows])


@pytest.mark.parametrize("epsilon", [0.0, 0.7, 3.0])
def test_guarantees_randomized_response_published_probabilities(epsilon):
  """Randomized response has the published probabilities."""
  kept = math.exp(epsilon) / (math.exp(epsilon) + 4)
  expected = np.full((5, 5), (1 - kept) / 4)
  np.fill_diagonal(expected, kept)
  # Five standard errors of a rate of one half among 200,000 draws.
  np.testing.assert_allclose(_response(epsilon), expected, atol=5 * 0.5 / math.sqrt(200_000))


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 4.0])
def test_guarantees_exponential_ratios_stay_below_e(epsilon):
  """Exponential ratios stay below e to the epsilon."""
  random = np.random.default_rng(0)
  codes, faces = jnp.array(random.normal(size=(6, 3))), jnp.array(random.normal(size=(4, 3)))
  n = 100_000
  drawn = guarantees.exponential(jax.random.key(0), jnp.repeat(faces[:, None], n, 1), codes, epsilon)
  share = np.stack([np.bincount(row, minlength=6) / n for row in np.asarray(drawn)])
  ratio = share.max(0) / share.min(0)
  assert (ratio <= math.exp(epsilon) * 1.1).all()  # two rates of at least 0.02 among 100,000: 3 % each, at 5 sigma less
  nearest = np.argmin(np.linalg.norm(np.asarray(faces)[:, None] - np.asarray(codes), axis=-1), 1)
  assert epsilon == 0 or (share.argmax(1) == nearest).all()


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_the_best_attacker_on_a_random_code_stays_below_the_bound(epsilon):
  """Everybody has a code of their own: randomized response reaches its bound, the exponential mechanism stays below."""
  num = 8
  kept = 1 / (1 + (num - 1) * math.exp(-epsilon))
  response = np.full((num, num), (1 - kept) / (num - 1))
  np.fill_diagonal(response, kept)
  bound = guarantees.rank_1_of_epsilon(epsilon, num)
  assert math.isclose(response.max(0).sum() / num, bound, rel_tol=1e-12)
  random = np.random.default_rng(1)
  distance = np.linalg.norm(random.normal(size=(num, 1, 2)) - random.normal(size=(1, num, 2)), axis=-1)
  low, high = distance.min(1, keepdims=True), distance.max(1, keepdims=True)
  odds = np.exp(epsilon / 2 * (high - distance) / (high - low))
  chances = odds / odds.sum(1, keepdims=True)
  assert chances.max(0).sum() / num <= bound + 1e-12


def test_guarantees_answer_multiplies_bound_most_number():
  """An answer multiplies the bound at most by the number of answers."""
  random = np.random.default_rng(2)
  response = random.dirichlet(np.ones(4), size=6)  # [people, codes]
  answer = random.dirichlet(np.ones(3), size=6)  # [people, answers], any dependence on the person
  alone = response.max(0).sum() / 6
  both = (response[:, :, None] * answer[:, None]).reshape(6, -1).max(0).sum() / 6
  assert alone <= both <= guarantees.with_answers(alone, 3)


def test_guarantees_many_forms_paper_promise_nothing():
  """As many forms as the paper has promise nothing."""
  assert guarantees.rank_1_of_bits(guarantees.bits(256, 512, 7), 500) == 1.0
  assert guarantees.rank_1_of_bits(math.log2(50), 100) == pytest.approx(0.5)
  message = {"bits": 3.0}, {"k": 5}, {"epsilon": 0.1, "answers": 7}
  assert [round(guarantees.rank_1(one, 100), 3) for one in message] == [0.08, 0.2, 0.077]


def test_guarantees_releases_name():
  """Releases by name."""
  assert guarantees.release("none", 1.0) is None
  ids, codes, z_e = jnp.zeros((2, 3, 1), jnp.int32), jnp.eye(4), jnp.ones((2, 3, 1, 4))
  for name in guarantees.MECHANISMS[1:]:
    given = guarantees.release(name, 0.5)(jax.random.key(0), z_e, codes, ids)
    assert given.shape == ids.shape and (given >= 0).all() and (given < 4).all()
  with pytest.raises(ValueError, match="randomised"):
    guarantees.release("randomised", 1.0)
