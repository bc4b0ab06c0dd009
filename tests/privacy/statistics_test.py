"""The statistics of re-identification against scikit-learn, closed forms and brute force, and what intervals cover."""

import doctest
import importlib
import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from qm_vae.metrics import intervals
from qm_vae.privacy import ranking, roc, scores, statistics, trials

MODULES = (scores, ranking, trials, roc, statistics)


def _random(p=60, g=30, seed=0, ties=True, lift=1.0):
  """Scores of p probes among g people with ties, the mates' `lift` higher."""
  random = np.random.default_rng(seed)
  probe, gallery = random.integers(g, size=p) * 3, random.permutation(g) * 3
  value = random.normal(size=(p, g)) + lift * (probe[:, None] == gallery)
  return (np.round(value * 2) if ties else value), probe, gallery


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_statistics_examples_docstrings(module):
  """Examples in docstrings."""
  found = doctest.testmod(importlib.import_module(module.__name__))
  assert found.attempted > 0
  assert found.failed == 0


@pytest.mark.parametrize("ties", [True, False])
def test_statistics_roc_auc_equal_scikit_learn(ties):
  """Roc and auc equal scikit learn."""
  value, probe, gallery = _random(ties=ties)
  value = scores.join_ties(value)  # as every statistic does; else two of 1800 scores may be told apart there alone
  label = (probe[:, None] == gallery).ravel()
  assert roc.auc(value, probe, gallery) == pytest.approx(metrics.roc_auc_score(label, value.ravel()), abs=1e-12)
  far, tar, threshold = roc.roc(value, probe, gallery)
  their_far, their_tar, their_threshold = metrics.roc_curve(label, value.ravel(), drop_intermediate=False)
  at = np.searchsorted(-their_threshold, -threshold)
  np.testing.assert_array_equal(their_threshold[at], threshold)
  # Shares of at most 1800 pairs: equal but for the last digit.
  np.testing.assert_allclose(far, their_far[at], atol=1e-12)
  np.testing.assert_allclose(tar, their_tar[at], atol=1e-12)
  # The corners left out are on the straight lines: the area is theirs.
  assert np.trapezoid(tar, far) == pytest.approx(metrics.auc(their_far, their_tar), abs=1e-12)


def test_statistics_two_gaussians_closed_forms():
  """Two gaussians have their closed forms."""
  d, n = 1.5, 600
  random = np.random.default_rng(1)
  value = random.normal(size=(n, n)) + d * np.eye(n)
  given = (value, np.arange(n), np.arange(n))
  # Standard deviations over 600 genuine pairs: AUC 0.008, EER 0.013, d' 0.05, TAR at most 0.02; three of each.
  assert roc.auc(*given) == pytest.approx(stats.norm.cdf(d / math.sqrt(2)), abs=0.024)
  assert roc.eer(*given) == pytest.approx(stats.norm.cdf(-d / 2), abs=0.04)
  assert roc.d_prime(*given) == pytest.approx(d, abs=0.15)
  for far in roc.FARS:
    tar = stats.norm.cdf(d - stats.norm.isf(far))
    assert roc.tar_at_far(*given, far) == pytest.approx(tar, abs=0.06)


@pytest.mark.parametrize("k", [1, 3])
def test_statistics_hits_mean_random_tie_breaking(k):
  """Hits are the mean of random tie breaking."""
  value, probe, gallery = _random(p=12, g=8)
  random, draws, mate = np.random.default_rng(2), 4000, np.searchsorted(np.arange(8) * 3, probe)
  column = np.argsort(gallery)[mate]
  found = np.zeros(len(probe))
  for _ in range(draws):
    order = np.lexsort((random.random(value.shape), -value), axis=1)
    found += (order[:, :k] == column[:, None]).any(1)
  # Standard deviation at most 0.5 / sqrt(4000) = 0.008; four of them.
  np.testing.assert_allclose(ranking.hits(value, probe, gallery, k), found / draws, atol=0.032)


@pytest.mark.parametrize("k", [1, 3])
def test_statistics_hits_crowd_mean_over_random(k):
  """Hits in a crowd are the mean over random crowds."""
  value, probe, gallery = _random(p=8, g=12, seed=4)
  random, gallery_size, draws = np.random.default_rng(0), 5, 4000
  mate = np.array([int(np.flatnonzero(gallery == person)[0]) for person in probe])
  total = np.zeros(len(probe))
  for _ in range(draws):
    for i, own in enumerate(mate):
      others = random.choice(np.delete(np.arange(12), own), gallery_size - 1, replace=False)
      noise = random.uniform(0, 1e-6, gallery_size)  # breaks ties
      printed = value[i, np.append(own, others)] + noise
      total[i] += (printed > printed[0]).sum() < k
  # Five standard errors of a rate of one half.
  np.testing.assert_allclose(
    ranking.hits(value, probe, gallery, k, gallery_size), total / draws, atol=5 * 0.5 / math.sqrt(draws)
  )
  assert ranking.cmc(value, probe, gallery, gallery_size=gallery_size)[-1] == pytest.approx(1, abs=1e-12)
  with pytest.raises(ValueError, match="a gallery of 13 of 12 people"):
    ranking.hits(value, probe, gallery, k, 13)


def test_statistics_undetected_faces_guesses():
  """Undetected faces are guesses."""
  value, probe, gallery = _random(p=6, g=5, ties=False, lift=9.0)
  value[0] = np.nan  # nothing of the probe
  value[1, gallery == probe[1]] = np.nan  # nothing of its mate
  value[2, gallery != probe[2]] = np.nan  # nothing of the others: they stand behind
  for k in (1, 3):
    np.testing.assert_allclose(ranking.hits(value, probe, gallery, k), [k / 5, k / 5, 1, 1, 1, 1])
  assert statistics.summary(value, probe, gallery, resamples=5)["n_undetected"] == 2


def test_statistics_share_guesses_mixes_roc_diagonal():
  """A share of guesses mixes the roc with the diagonal."""
  value, probe, gallery = _random(p=400, g=50, ties=False, lift=2.5)
  lost = np.arange(400) % 4 == 0
  damaged = np.where(lost[:, None], np.nan, value)
  kept = (value[~lost], probe[~lost], gallery)
  given = (damaged, probe, gallery)
  assert roc.auc(*given) == pytest.approx(0.75 * roc.auc(*kept) + 0.25 * 0.5, abs=1e-12)
  for far in roc.FARS:
    mixed = 0.75 * roc.tar_at_far(*kept, far) + 0.25 * far
    assert roc.tar_at_far(*given, far) == pytest.approx(mixed, abs=1e-12)
  # Drawn scores instead of the closed mixture: 100 guesses out of 400 leave d' a standard deviation of 0.06.
  random = np.random.default_rng(3)
  impostors = kept[0][kept[1][:, None] != gallery]
  drawn = np.where(lost[:, None], random.choice(impostors, size=value.shape), value)
  assert roc.d_prime(*given) == pytest.approx(roc.d_prime(drawn, probe, gallery), abs=0.2)


@pytest.mark.parametrize("constant", [0.1, np.nan], ids=["equal", "undetected"])
def test_statistics_nothing_go_chance_exactly(constant):
  """Nothing to go by is chance exactly."""
  n = 110  # 11990 impostor pairs: enough for both FARs
  printed = statistics.summary(np.full((n, n), constant), np.arange(n), np.arange(n), resamples=20)
  for name, chance in statistics.chance(n).items():
    assert printed[name]["value"] == pytest.approx(chance, abs=1e-12), name
    if name not in ("bits", "d_prime"):
      assert printed[name]["low"] <= chance <= printed[name]["high"], name
  np.testing.assert_allclose(printed["cmc"], np.arange(1, 51) / n)


def test_statistics_swapped_identities_chance():
  """Swapped identities are at chance."""
  n, seeds = 100, 12
  chance, inside = statistics.chance(n), 0
  measures = ("rank_5", "rank_10", "auc", "eer", "tar_at_far_1e-2")
  for seed in range(seeds):
    value = np.random.default_rng(seed).normal(size=(n, n)) + 5 * np.eye(n)
    printed = statistics.summary(value, np.roll(np.arange(n), 1), np.arange(n), resamples=60)
    inside += sum(printed[name]["low"] <= chance[name] <= printed[name]["high"] for name in measures)
    assert printed["bits"]["low"] == 0.0
  # Of 60 intervals at 95 % 57; two standard deviations of what goes together (12 seeds) are 6.
  assert inside >= 51


def test_statistics_bootstrap_pairs_no_person_own():
  """Bootstrap pairs no person with its own copy."""
  value, probe, gallery = _random(p=40, g=12, seed=5)
  value[3] = np.nan
  random = np.random.default_rng(5)
  for _ in range(5):
    drawn = random.integers(12, size=12)
    weight = np.bincount(drawn, minlength=12)
    copies = [(i, w) for i in range(40) for w in range(weight[np.flatnonzero(gallery == probe[i])[0]])]
    genuine = [value[i, gallery == probe[i]][0] for i, _ in copies]
    impostor = [value[i, j] for i, _ in copies for j in drawn if gallery[j] != probe[i]]
    genuine, impostor = np.array(genuine), np.array(impostor)
    lost, impostor = np.isnan(genuine), impostor[np.isfinite(impostor)]
    wins = (genuine[:, None] > impostor).mean(1) + (genuine[:, None] == impostor).mean(1) / 2
    expected = np.where(lost, 0.5, wins).mean()
    collected = trials.collect(value, probe, gallery)
    far, tar = trials.curve(collected, weight.astype(float))
    assert np.trapezoid(tar, far) == pytest.approx(expected, abs=1e-12)
    share, kept = lost.mean(), genuine[~lost]
    mean = (1 - share) * kept.mean() + share * impostor.mean()
    square = (1 - share) * np.square(kept).mean() + share * np.square(impostor).mean()
    d = (mean - impostor.mean()) / math.sqrt((square - mean**2 + impostor.var()) / 2)
    assert trials.d_primes(collected, weight[None].astype(float))[0] == pytest.approx(d, abs=1e-9)


def test_statistics_too_few_pairs_give_no():
  """Too few pairs give no tar."""
  value, probe, gallery = _random(p=30, g=30)  # 870 impostor pairs
  given = (value, probe, gallery)
  assert math.isnan(roc.tar_at_far(*given, 1e-2)) and roc.tar_at_far(*given, 0.1) > 0
  printed = statistics.summary(*given, resamples=10)
  assert printed["tar_at_far_1e-2"] == {"value": None, "low": None, "high": None}


def test_statistics_bits_follow_fano():
  """Bits follow fano."""
  n, p = 500, 0.4
  error = 1 - p
  expected = math.log2(n) - stats.entropy([p, error], base=2) - error * math.log2(n - 1)
  assert ranking.bits_leaked(p, n) == pytest.approx(expected)
  assert ranking.bits_leaked(0.0, n) == ranking.bits_leaked(1 / n, n) == 0.0
  bits = [ranking.bits_leaked(p, n) for p in np.linspace(0, 1, 101)]
  assert np.all(np.diff(bits) >= 0) and bits[-1] == pytest.approx(math.log2(n))


def test_statistics_summary_json_repeats():
  """Summary is JSON and repeats."""
  value, probe, gallery = _random(p=500, g=120, ties=False)
  printed = statistics.summary(value, probe, gallery, seed=7, resamples=30)
  assert (
    json.loads(json.dumps(printed, allow_nan=False))
    == printed
    == statistics.summary(value, probe, gallery, seed=7, resamples=30)
  )
  assert printed["chance"].keys() <= printed.keys()
  assert (printed["n_people"], printed["n_probes"], len(printed["cmc"])) == (120, 500, 50)
  roc = printed["roc"]
  assert 100 < len(roc["far"]) <= 200 and (roc["far"][0], roc["tar"][0], roc["threshold"][0]) == (0.0, 0.0, None)
  assert (roc["far"][-1], roc["tar"][-1]) == (1.0, 1.0)
  # Half of the corners are even along the curve, 2 / 99 apart; a chord of that length cuts off less than 0.01 in all.
  assert np.trapezoid(roc["tar"], roc["far"]) == pytest.approx(printed["auc"]["value"], abs=0.01)


@pytest.mark.parametrize(
  ("value", "probe", "gallery", "message"),
  [
    (np.zeros((1, 1)), [0], [0], "gallery of 1 people"),
    (np.zeros((0, 2)), [], [0, 1], "no probe"),
    (np.zeros((2, 2)), [0, 9], [0, 1], "person 9 has a probe but is not in the gallery"),
    (np.zeros((1, 3)), [0], [0, 4, 4], "person 4 is 2 times"),
    (np.zeros((2, 3)), [0, 1], [0, 1], r"shape \(2, 3\) for 2 probes and 2"),
    (np.full((1, 2), np.inf), [0], [0, 1], "infinite"),
    (np.zeros((1, 2)), [-1], [-1, 1], "probe 0 has no known identity"),
  ],
)
def test_statistics_impossible_input_refused(value, probe, gallery, message):
  """Impossible input is refused."""
  with pytest.raises(ValueError, match=message):
    statistics.summary(value, probe, gallery)
  with pytest.raises(ValueError, match=message):
    ranking.hits(value, probe, gallery, 1)


def test_statistics_impossible_numbers_refused():
  """Impossible numbers are refused."""
  given = (np.eye(2), [0, 1], [0, 1])
  with pytest.raises(ValueError, match="at least 1"):
    ranking.hits(*given, 0)
  with pytest.raises(ValueError, match="FAR of 0"):
    roc.tar_at_far(*given, 0)
  with pytest.raises(ValueError, match="rank-1 rate 2"):
    ranking.bits_leaked(2, 5)
  with pytest.raises(ValueError, match="chance among 1"):
    statistics.chance(1)


def test_statistics_intervals_over_people_cover_whole():
  """Intervals over people cover whole score matrices."""
  d, people, worlds = 1.0, 100, 120
  random = np.random.default_rng(6)
  # A person's own shift, variance 1, on both its probes: genuine scores have variance 2, impostors 1.
  truth = {
    "auc": stats.norm.cdf(d / math.sqrt(3)),
    "tar_at_far_1e-2": stats.norm.cdf((d - stats.norm.isf(0.01)) / math.sqrt(2)),
    "d_prime": d / math.sqrt(1.5),
  }
  person = np.repeat(np.arange(people), 2)
  covered = dict.fromkeys(truth, 0)
  for _ in range(worlds):
    value = random.normal(size=(200, people))
    value[np.arange(200), person] += d + random.normal(size=people)[person]
    found = roc.intervals(value, person, np.arange(people), resamples=60)
    for name, true in truth.items():
      covered[name] += found[name]["low"] <= true <= found[name]["high"]
  # Nominal 95; 120 worlds have a standard deviation of 2 points, 60 resamples cost a percentile interval about 2 more.
  for name, times in covered.items():
    assert times / worlds >= 0.88, (name, times)


def test_statistics_rank_rate_over_people():
  """Rank rate is over people."""
  value, probe, gallery = _random(p=90, g=30)
  hits = ranking.hits(value, probe, gallery, 5)
  ours = ranking.rank_rate(value, probe, gallery, 5)
  assert ours == intervals.wilson_by_identity(hits, probe)
  assert ours.method == "wilson_effective"
  assert ranking.cmc(value, probe, gallery)[4] == pytest.approx(ours.value)


def test_join_ties_rounding():
  """Scores of equal pictures tie whatever rounding does to their last bits; real differences survive."""
  random = np.random.default_rng(0)
  levels = random.uniform(-1, 1, (40, 40))
  noisy = levels + random.uniform(-1e-8, 1e-8, levels.shape)
  joined = scores.join_ties(np.stack([levels, noisy]))
  np.testing.assert_array_equal(joined[0], joined[1])
  apart = np.abs(levels[:, None] - levels) > 1e-4  # a hundred times ROUNDING
  signs = np.sign(levels[:, None] - levels), np.sign(joined[0][:, None] - joined[0])
  np.testing.assert_array_equal(signs[0][apart], signs[1][apart])
  assert np.isnan(scores.join_ties(np.array([[np.nan, 1.0], [1.0, 2.0]]))).sum() == 1
