"""Every listed attacker, in a world small enough to learn within seconds."""

import dataclasses

import numpy as np
import pytest
from made_up_people import ATTACKED, CHANCE, EACH, PEOPLE, SIDE, embedder, world

from qm_vae import embedders, types
from qm_vae.evaluate import privacy
from qm_vae.privacy import protocol, ranking, training
from qm_vae.privacy.attackers import ATTACKERS, Tools


def _attack(name, pairs, folder, training_scale=1.0):
  """(attack, rank-1) of one attacker; nobody who is attacked teaches it."""
  projection = embedder()
  before = projection.params["params"]["weights"].copy()
  chosen = protocol.choose(pairs.identity, people=ATTACKED, probes=3, seed=0)
  gallery, probe, train = (pairs.take(rows) for rows in (chosen.gallery, chosen.probe, chosen.attack))
  assert not set(train.identity) & set(probe.identity)
  attacker = ATTACKERS[name](
    Tools(embedders.on_host(projection), projection, training.learner(folder, seed=0), training_scale)
  )
  assert attacker.gallery in ("clear", "protected") and attacker.unmet_requirements(train) == ""
  attack = attacker.fit(train)
  assert bool(attack.losses) == attacker.trains
  scores = attack.scores(gallery, probe)
  assert scores.shape == (len(probe), len(gallery))
  np.testing.assert_array_equal(projection.params["params"]["weights"], before)
  return attack, ranking.rank_rate(scores, probe.identity, gallery.identity, 1), probe


SLOW = {"codes", "inversion"}  # they train longest


@pytest.mark.parametrize(
  "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ATTACKERS.names()]
)
def test_contract(name, tmp_path):
  """On unprotected faces every attacker names people, and what it trained got better."""
  training_scale = {"parrot": 3, "cross": 3, "codes": 1, "inversion": 0.5}.get(name, 1)
  attack, rank_1, probe = _attack(name, world(), tmp_path, training_scale)
  assert rank_1.low > 4 * CHANCE, rank_1
  if attack.losses:
    assert attack.losses[-1] < 0.9 * attack.losses[0]
  measures = attack.measures(probe)
  assert all(np.isfinite(value) for value in measures.values()) and ("ssim" in measures) == (name == "inversion")


@pytest.mark.parametrize("name", ("naive", "linkage", "residual", "ridge"))
def test_attacker_one_picture_all_chance(name, tmp_path):
  """One picture for all is at chance."""
  _, rank_1, _ = _attack(name, world(lambda image, random: np.full_like(image, 128)), tmp_path)
  assert rank_1.value == pytest.approx(CHANCE, abs=1e-6)


@pytest.mark.slow
def test_cross_learns_what_a_frozen_recogniser_cannot_see(tmp_path):
  """Blocks in another order say the same to whoever has learnt the order."""
  order = np.random.default_rng(3).permutation(16)

  def shuffle(image, random):
    blocks = image.reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 16, 4, 4, 3)[:, order]
    return np.ascontiguousarray(blocks.reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(image.shape))

  pairs = world(shuffle)
  _, naive, _ = _attack("naive", pairs, tmp_path)
  _, cross, _ = _attack("cross", pairs, tmp_path, training_scale=8)
  assert naive.high < 0.3 and cross.low > naive.high


def test_the_lowest_bits_are_looked_at(tmp_path):
  """Noise that hides everybody, but for each person's own lowest bits in one row."""
  own = np.random.default_rng(4).integers(0, 2, (PEOPLE, SIDE, 3)).astype(np.uint8)

  def doctored(image, random):
    noise = random.integers(0, 256, image.shape).astype(np.uint8)
    noise[:, 0] = noise[:, 0] & 254 | own[np.repeat(np.arange(PEOPLE), EACH)]
    return noise

  pairs = world(doctored)
  _, naive, _ = _attack("naive", pairs, tmp_path)
  _, residual, _ = _attack("residual", pairs, tmp_path)
  assert naive.low <= CHANCE <= naive.high and residual.low > 0.8


def test_attacker_lesson_not_taught_twice(tmp_path):
  """A lesson is not taught twice."""
  first, _, _ = _attack("parrot", world(), tmp_path, training_scale=0.5)
  (folder,) = tmp_path.iterdir()
  message = (folder / "metrics.jsonl").read_bytes()
  again, _, _ = _attack("parrot", world(), tmp_path, training_scale=0.5)
  assert again.losses == first.losses and [folder] == list(tmp_path.iterdir())
  assert (folder / "metrics.jsonl").read_bytes() == message


def test_attacker_too_little_learn_said(tmp_path):
  """Too little to learn from is said."""
  few = world().take(np.arange(5 * EACH))
  tools = Tools(embedders.on_host(embedder()), None, training.learner(tmp_path, 0), 1.0)
  reasons = {name: ATTACKERS[name](tools).unmet_requirements(few) for name in ATTACKERS.names()}
  assert reasons["naive"] == reasons["linkage"] == ""
  assert "20 faces; needs 200" in reasons["inversion"] and "5 people" in reasons["residual"]
  assert "not an ONNX file" in reasons["parrot"] and "5 people" in reasons["codes"]


def test_attacker_protocol_keeps_people_pictures_apart():
  """Protocol keeps people and pictures apart."""
  identity = np.repeat(np.arange(40), 3)
  identity[:4] = types.UNKNOWN
  chosen = protocol.choose(identity, people=15, probes=1, seed=2, barred=np.flatnonzero(identity == 20))
  assert len(chosen.gallery) == len(chosen.probe) == 15 and not set(chosen.gallery) & set(chosen.probe)
  np.testing.assert_array_equal(identity[chosen.gallery], identity[chosen.probe])
  assert not set(identity[chosen.gallery]) & set(identity[chosen.attack]) and 20 not in identity[chosen.gallery]
  assert set(np.flatnonzero(identity == 20)) <= set(chosen.attack)
  with pytest.raises(ValueError, match=r"6 people have two faces or more and .* at least 10"):
    protocol.choose(identity[:21], people=15, probes=1, seed=0)


@pytest.mark.parametrize("name", ["naive", "linkage"])
def test_attacker_protected_pictures_aligned_eyes_attackers(name):
  """Protected pictures are aligned by the eyes that attackers are told."""
  asked = []

  def embed(image, eyes):
    asked.append((image, eyes))
    return np.ones((len(image), 2), np.float32)

  pairs = dataclasses.replace(world(lambda image, random: 255 - image), protected_eyes=np.zeros((PEOPLE * EACH, 4)))
  attacker = ATTACKERS[name](Tools(embed, None, None, 1.0))
  attacker.fit(pairs).scores(pairs.take([0, 1]), pairs.take([2]))
  assert len(asked) == 2
  for image, eyes in asked:
    is_original = any((image == pairs.original[rows]).all() for rows in ([0, 1], [2]) if len(rows) == len(image))
    assert (eyes == (pairs.eyes[: len(image)] if is_original else 0)).all()


def test_attacker_picture_alone_told_one_place():
  """Attackers who have the picture alone are told one place of the eyes but for controls."""
  found = np.float32([[1, 2, 3, 2], [3, 4, 5, 4]])
  assert (privacy._eyes("original", "model", found) == found).all()
  assert (privacy._eyes("average", "control", found) == found).all()
  assert (privacy._eyes("average", "model", found) == np.float32([[2, 3, 4, 3]] * 2)).all()
