"""Intervals against SciPy, and by simulation what they cover."""

import json

import numpy as np
import pytest
from scipy import stats

from qm_vae.metrics import intervals


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (137, 500), (1, 10_000)])
def test_intervals_wilson_equals_scipy(successes, n):
  """Wilson equals scipy."""
  ours = intervals.wilson(successes, n)
  interval = stats.binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
  assert (ours.value, ours.n, ours.method) == (successes / n, n, "wilson")
  np.testing.assert_allclose((ours.low, ours.high), (interval.low, interval.high), rtol=1e-9, atol=1e-12)


def test_intervals_no_trials_claim_nothing():
  """No trials claim nothing."""
  for empty in (
    intervals.wilson(0, 0),
    intervals.rate([], []),
    intervals.rate([]),
    intervals.bootstrap_by_identity([], []),
  ):
    assert np.isnan(empty.value)
    assert empty[1:] == (0, 0.0, 1.0, "none")
  assert json.loads(json.dumps(intervals.rate([]).as_dict()))["value"] is None


def test_intervals_wilson_nobody_repeats():
  """Wilson where nobody repeats."""
  values = [1, 0, 0, 1, 1]
  assert intervals.rate(values) == intervals.rate(values, [4, 7, 1, 0, 2]) == intervals.wilson(3, 5)
  assert intervals.rate(values, [-1] * 5) == intervals.wilson(3, 5)  # unknown people are not one person


def test_intervals_bootstrap_people_repeat():
  """Bootstrap where people repeat."""
  random = np.random.default_rng(0)
  identity = np.repeat(np.arange(40), 5)
  values = np.repeat(random.random(40) < 0.3, 5)  # a person's images all fare alike
  by_person = intervals.bootstrap_by_identity(values, identity)
  by_image = intervals.rate(values)
  assert by_person.method == "bootstrap"
  assert by_person.n == 200
  assert by_person.value == pytest.approx(values.mean())
  assert by_person.low < by_person.value < by_person.high
  # Five equal images tell as much as one: the honest interval is about sqrt(5) as wide; 2000 resamples fix it to 5 %.
  widening = (by_person.high - by_person.low) / (by_image.high - by_image.low)
  assert 1.9 < widening < 2.6
  assert intervals.bootstrap_by_identity(values, identity) == by_person


def test_intervals_one_hit_more_never_lowers():
  """One hit more never lowers the upper end."""
  identity = np.concatenate([np.arange(150), np.arange(38)])  # 38 people twice
  upper = []
  for hits in range(30):
    found = intervals.rate(np.arange(188) < hits, identity)
    upper.append(found.high)
  assert np.all(np.diff(upper) > 0)
  assert intervals.rate(np.arange(188) >= 3, identity).low == pytest.approx(1 - upper[3])
  # Where more people decide it agrees with the bootstrap.
  hit = np.random.default_rng(0).random(188) < 0.3
  ours, other = (one(hit, identity) for one in (intervals.rate, intervals.bootstrap_by_identity))
  np.testing.assert_allclose((ours.low, ours.high), (other.low, other.high), atol=0.015)


def test_intervals_bootstrap_weighs_people_images():
  """Bootstrap weighs people by their images."""
  identity = np.array([0, 0, 0, 1, 2])
  values = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
  means = []
  for draw in np.ndindex(3, 3, 3):  # all 27 equally likely resamples
    chosen = np.concatenate([values[identity == person] for person in draw])
    means.append(chosen.mean())
  exact = np.percentile(means, [2.5, 97.5], method="inverted_cdf")
  ours = intervals.bootstrap_by_identity(values, identity)
  # The outermost of 27 outcomes hold more than 2.5 % each, so the percentiles are attained values.
  np.testing.assert_allclose((ours.low, ours.high), exact)


@pytest.mark.parametrize("value", [0, 1])
def test_intervals_equal_values_not_claim_certainty(value):
  """Equal values do not claim certainty."""
  identity = np.repeat(np.arange(8), 4)
  ours = intervals.rate(np.full(32, value), identity)
  people = intervals.wilson(8 * value, 8)
  assert (ours.value, ours.n, ours.method) == (value, 32, "wilson_effective")
  assert (ours.low, ours.high) == (people.low, people.high)
  assert ours.high - ours.low > 0.3


def test_intervals_one_person_not_claim_certainty():
  """One person does not claim certainty."""
  ours = intervals.rate([1, 0, 1, 1], [5, 5, 5, 5])
  assert ours.value == 0.75
  assert ours.low < 0.25 and ours.high > 0.95


def test_intervals_bootstrap_covers_truth():
  """Bootstrap covers the truth."""
  random = np.random.default_rng(1)
  covered = 0
  for trial in range(100):
    chance = random.beta(2, 3, 60)  # people differ; mean 0.4
    identity = np.repeat(np.arange(60), random.integers(1, 6, 60))
    values = random.random(len(identity)) < chance[identity]
    ours = intervals.bootstrap_by_identity(values, identity, seed=trial, resamples=200)
    covered += ours.low <= 0.4 <= ours.high
  # Nominal 95; binomial standard deviation 2.2, and percentile intervals of 60 people fall about 2 short.
  assert covered >= 86


def test_intervals_impossible_values_refused():
  """Impossible values are refused."""
  with pytest.raises(ValueError, match="5 successes of 4"):
    intervals.wilson(5, 4)
  with pytest.raises(ValueError, match=r"\[0, 1\]"):
    intervals.rate([0.5, np.nan], [1, 2])
  with pytest.raises(ValueError, match="2 values for 3"):
    intervals.rate([0, 1], [1, 2, 3])


@pytest.mark.parametrize("people", [100, 500])
@pytest.mark.parametrize("p", [0.75, 0.4, 0.01])
@pytest.mark.parametrize("likeness", [0.0, 0.3])
def test_intervals_wilson_identity_covers_truth(people, p, likeness):
  """Wilson by identity covers the truth."""
  trials, images = 1000, 3
  random = np.random.default_rng(3)
  identity = np.repeat(np.arange(people), images)
  each = np.full((trials, people), p)
  if likeness:  # people differ, with this correlation between two images of one
    each = random.beta(p * (1 / likeness - 1), (1 - p) * (1 / likeness - 1), (trials, people))
  values = random.random((trials, people * images)) < np.repeat(each, images, axis=1)
  found = [intervals.wilson_by_identity(one, identity) for one in values]
  covered = np.mean([one.low <= p <= one.high for one in found])
  # Within two points of 95 % (the claim), and two standard deviations of 1000 trials, 1.4 points.
  assert abs(covered - 0.95) < 0.02 + 0.014


@pytest.mark.parametrize("n", [100, 500])
def test_intervals_wilson_covers_independent_trials(n):
  """Wilson covers independent trials."""
  found = [intervals.wilson(x, n) for x in range(n + 1)]

  def covered(p):  # exact, by enumeration
    inside = [one.low <= p <= one.high for one in found]
    return stats.binom.pmf(np.arange(n + 1), n, p) @ inside

  for p in (0.75, 0.4):
    assert abs(covered(p) - 0.95) < 0.02
  # Near 0 coverage jumps with p, as whole counts must: 92.1 % at p = 1 / n and 98.2 % had the interval held one count
  # more. Its mean over the neighbourhood is what can be kept.
  assert abs(np.mean([covered(p) for p in np.linspace(0.005, 0.015, 101)]) - 0.95) < 0.02
  assert covered(1 / n) > 0.919


def test_intervals_wilson_identity_wilson_effective_number():
  """Wilson by identity is wilson of the effective number."""
  random = np.random.default_rng(0)
  by_person = random.random(40) < 0.3
  alike = intervals.wilson_by_identity(np.repeat(by_person, 5), np.repeat(np.arange(40), 5))
  people = intervals.wilson(int(by_person.sum()), 40)
  # Five equal images are one trial; the unbiased variance counts 39 of 40.
  assert (alike.n, alike.method) == (200, "wilson_effective")
  np.testing.assert_allclose((alike.low, alike.high), (people.low, people.high), atol=0.003)
  assert intervals.wilson_by_identity([1, 0, 0, 1, 1], [4, 7, 1, 0, 2]) == intervals.wilson(3, 5)
  # Nothing seen of how people differ: as many trials as people.
  for value in (0.0, 0.3, 1.0):
    same = intervals.wilson_by_identity(np.full(32, value), np.repeat(np.arange(8), 4))
    expected = intervals.wilson(8 * value, 8)
    np.testing.assert_allclose((same.low, same.high), (expected.low, expected.high), atol=1e-9)
  # People less alike than chance do not make more trials than there are.
  opposed = intervals.wilson_by_identity(np.tile([1, 0], 50), np.repeat(np.arange(50), 2))
  assert (opposed.low, opposed.high) == (intervals.wilson_effective(0.5, 0.0, 100, 50)[2:4])
  mixed = intervals.wilson_by_identity(np.r_[np.tile([1, 0], 50), 1, 1], np.r_[np.repeat(np.arange(50), 2), 50, 50])
  np.testing.assert_allclose((mixed.low, mixed.high), intervals.wilson(52, 102)[2:4])


def test_intervals_wilson_effective_refuses_impossible():
  """Wilson effective refuses the impossible."""
  with pytest.raises(ValueError, match="give"):
    intervals.wilson_effective(1.2, 0.1, 10, 5)
  with pytest.raises(ValueError, match="11 people in 10"):
    intervals.wilson_effective(0.2, 0.1, 10, 11)
