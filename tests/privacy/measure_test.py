"""The privacy table on made-up people: what must be named is, what must not is not, and a broken instrument says so."""

import json

import numpy as np
import pytest
from made_up_people import ATTACKED, CHANCE, embedder, world

from qm_vae import embedders
from qm_vae.privacy import controls, measure, protocol, training

BLANK = lambda image, random: np.full_like(image, 128)
MEAN = lambda image, random: (0 * image + image.mean((1, 2), keepdims=True)).astype(np.uint8)  # one colour a picture


def table(folder, methods, attackers=("naive", "linkage", "residual"), **options):
  projection = embedder()
  one = embedders.LoadedEmbedder("projection", embedders.on_host(projection), projection, "made up", "0")
  methods = [measure.Method(name, kind, world(protect)) for name, kind, protect in methods]
  chosen = protocol.choose(methods[0].pairs.identity, people=ATTACKED, probes=2, seed=0)
  learn = training.learner(folder, seed=0)
  return measure.measure(methods, chosen, [one], attackers=attackers, learn=learn, crowds=(10, 500), **options)


CONTROLS = [("identity", "control", lambda image, random: image), ("blank", "control", BLANK)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
  views = [("colour", "view", MEAN), ("brighter", "view", lambda image, random: image + 1)]
  union = measure.Union("union", ("colour", "brighter"))
  return table(tmp_path_factory.mktemp("lessons"), CONTROLS + views, union=union)


def test_measure_controls_pass_rows_hold_report(found):
  """Controls pass and rows hold what a report needs."""
  report = found.report
  assert json.loads(json.dumps(report, allow_nan=False)) == report
  assert report["controls"]["void"] == [] and report["controls"]["identity"]["share"] >= 0.95
  assert [row["name"] for row in report["methods"]] == ["identity", "blank", "colour", "brighter", "union"]
  identity, blank, colour, brighter, union = report["methods"]
  assert identity["headline"]["rank_1"]["low"] > 0.5
  assert blank["headline"]["rank_1"]["value"] == pytest.approx(CHANCE, abs=1e-6)
  assert CHANCE < colour["headline"]["rank_1"]["value"] < identity["headline"]["rank_1"]["value"]
  assert report["crowds"] == [10, ATTACKED] == [message["n_people"] for message in colour["attacks"][0]["crowds"]]
  assert report["people"]["attacked"] == ATTACKED and report["people"]["probes"] == 2 * ATTACKED
  assert not set(report["split"]["gallery"]) & set(report["split"]["probe"])
  assert [attack["attacker"] for attack in union["attacks"]][:3] == ["naive", "linkage", "residual"]
  # Whoever has all outputs has the best one.
  assert union["headline"]["rank_1"]["value"] >= brighter["headline"]["rank_1"]["value"]
  assert all(attack["on_clear"] for attack in colour["attacks"])
  # One grey level away is 48 dB: no protection, whatever attackers make of it.
  assert len(brighter["unprotected"]) == len(world().identity) and not colour["unprotected"]
  assert identity["psnr"]["mean"] is None and not identity["unprotected"]
  assert found.scores["colour"].shape == (2 * ATTACKED, ATTACKED)
  best = max(colour["attacks"], key=lambda attack: attack["crowds"][-1]["rank_1"]["value"])
  assert colour["headline"]["attacker"] == best["attacker"]


def test_measure_two_views_tell_more_one(tmp_path):
  """Two views tell more than one."""
  random = np.random.default_rng(5)
  n = len(world().identity)
  noise = [random.normal(0, 70, (n, 4, 4, 3)).repeat(4, 1).repeat(4, 2) for _ in range(2)]
  hide = lambda i: lambda image, _: np.clip(image + noise[i], 0, 255).astype(np.uint8)
  views = [("one", "view", hide(0)), ("other", "view", hide(1))]
  report = table(tmp_path, CONTROLS + views, ("naive",), union=measure.Union("union", ("one", "other"))).report
  *_, one, other, union = (row["headline"]["rank_1"]["value"] for row in report["methods"])
  assert union > max(one, other) + 0.05


def test_measure_table_controls_fail_void(tmp_path):
  """A table whose controls fail is void."""
  # The control identity is no longer the original, and blank carries people: both must be noticed.
  broken = [("identity", "control", MEAN), ("blank", "control", lambda image, random: image)]
  report = table(tmp_path, broken, ("naive",)).report
  assert len(report["controls"]["void"]) == 2
  assert "identity" in report["controls"]["void"][0] and "blank: naive with projection" in report["controls"]["void"][1]
  assert not report["controls"]["identity"]["ok"] and not report["controls"]["blank"]["ok"]


def test_measure_recogniser_knows_nobody_voids_table(tmp_path, monkeypatch):
  """A recogniser that knows nobody voids the table."""
  random = np.random.default_rng(0)
  monkeypatch.setattr("qm_vae.embedders.on_host", lambda one: lambda image, eyes: random.normal(size=(len(image), 8)))
  report = table(tmp_path, CONTROLS, ("naive",)).report
  assert any(reason.startswith("clear: the best recogniser") for reason in report["controls"]["void"])


def test_measure_controls_attacked_whoever_chosen(tmp_path):
  """Controls are attacked whoever was chosen."""
  report = table(tmp_path, CONTROLS + [("colour", "view", MEAN)], ("residual",)).report
  assert report["controls"]["void"] == []
  assert [attack["attacker"] for attack in report["methods"][-1]["attacks"]] == ["residual"]


def test_measure_nobody_attack_refused_once(tmp_path, monkeypatch):
  """Nobody who can attack is refused at once."""
  monkeypatch.setattr("qm_vae.privacy.attackers.learning.MIN_PEOPLE", 1000)
  with pytest.raises(ValueError, match=r"no attacker can attack these pictures \(parrot: learns from 60 people"):
    table(tmp_path, CONTROLS, ("parrot",))


def test_measure_lesson_diverges_told_rest_goes(tmp_path):
  """A lesson that diverges is told and the rest goes on."""

  def learn(lesson):
    raise FloatingPointError("loss is nan")

  tmp_path.mkdir(exist_ok=True)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(training, "learner", lambda folder, seed: learn)
    report = table(tmp_path, CONTROLS, ("naive", "parrot")).report
  assert "diverged: loss is nan" in report["methods"][0]["left_out"][0]["reason"]
  assert any("diverged" in text for text in report["controls"]["warnings"])


def test_measure_broken_attacker_warned(tmp_path, monkeypatch):
  """A broken attacker is warned of."""
  monkeypatch.setattr("qm_vae.privacy.attackers.parrot._LEARNING_RATE", 30.0)
  report = table(tmp_path, CONTROLS, ("naive", "parrot")).report
  assert any(text.startswith("parrot with projection") for text in report["controls"]["warnings"])
  assert report["controls"]["void"] == []  # the strongest attacker is sound
  assert {"attacker": "parrot", "embedder": "projection"}.items() <= report["methods"][1]["left_out"][0].items()


def test_measure_shuffled_labels_chance_unless_scores():
  """Shuffled labels are at chance unless scores are wrong."""
  random = np.random.default_rng(0)
  identity = np.arange(50)
  message = controls.shuffled(random.normal(size=(50, 50)) + 9 * np.eye(50), identity, identity, seed=1)
  assert message["ok"] and message["value"] == pytest.approx(0.02, abs=0.005)
  with pytest.MonkeyPatch.context() as patch:  # an instrument that counts too many hits
    patch.setattr("qm_vae.privacy.ranking.hits", lambda scores, p, g, k: np.full(len(p), 0.05))
    assert not controls.shuffled(np.zeros((50, 50)), identity, identity, seed=1)["ok"]


def test_measure_controls_lead(tmp_path):
  """Controls must lead."""
  with pytest.raises(ValueError, match="identity and blank"):
    table(tmp_path, CONTROLS[:1])
