"""The privacy table on made-up people: what must be named is, what must not is not, and a broken instrument says so."""

import json

import numpy as np
import pytest
from made_up_people import ATTACKED, CHANCE, embedder, world

from qm_vae import embedders, types
from qm_vae.metrics import face_region
from qm_vae.privacy import controls, measure, protocol, sessions, training

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


def test_measure_face_that_adds_nothing_is_not_found_to_add(tmp_path):
  """Blanking the face of pictures that keep it costs people their names; of pictures without it, nothing."""
  eyes = np.float32([5, 6, 11, 6])
  inside = face_region.radius(eyes, (16, 16)) <= 1

  def hide(image, random):
    image = image.copy()
    image[:, inside] = 77
    return image

  def keep(image, random):
    return np.where(inside[..., None], image, random.integers(0, 256, image.shape)).astype(np.uint8)

  methods = [*CONTROLS, ("hidden", "baseline", hide), ("kept", "audited", keep)]
  report = table(tmp_path, methods, ("naive",)).report
  identity, _, hidden, kept = report["methods"]
  assert "surroundings" not in identity
  assert hidden["surroundings"]["test"]["p"] > 0.05 and hidden["surroundings"]["test"]["n"] == ATTACKED
  kept = kept["surroundings"]
  assert all(kept["output"]["rank_1"]["value"] > kept[way]["rank_1"]["value"] for way in ("blanked", "averaged"))
  assert kept["test"]["p"] < 0.01 and kept["test"]["first_only"] > kept["test"]["second_only"]
  assert report["without_sessions"] == "no session of any picture is known"


def test_measure_sessions_are_told_apart(tmp_path):
  """Pictures that keep nothing but the light of their session are linked within it and not across."""
  identity = world().identity
  session = np.tile(np.arange(4, dtype=np.int32) // 2, len(identity) // 4)
  light = np.random.default_rng(9).uniform(20, 230, (len(identity) // 2, 4, 4, 3))
  one_each = light[np.arange(len(identity)) // 2].repeat(4, 1).repeat(4, 2).astype(np.uint8)
  methods = [*CONTROLS, ("light", "model", lambda image, random: one_each)]
  report = table(tmp_path, methods, ("naive",), session=session).report
  found = report["methods"][-1]["sessions"]
  assert report["without_sessions"] == "" and set(report["methods"][0]["sessions"]) == {"same", "different"}
  assert found["same"]["people"] == found["different"]["people"] == ATTACKED
  assert found["same"]["attacker"] == "linkage" and found["same"]["rank_1"]["value"] == 1
  assert found["different"]["rank_1"]["low"] < 3 * CHANCE
  assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_sessions_draw_pairs_of_the_kind_asked_for():
  """Each person is drawn once for either kind, people without such a pair are left out, and unknown is no session."""
  identity = np.repeat(np.arange(12), 3)
  session = np.tile([0, 0, 1], 12)
  session[:3] = types.UNKNOWN
  session[3:6] = 0
  chosen = protocol.Protocol(np.arange(0), np.arange(0, 36, 3), np.arange(1, 36, 3))
  found = sessions.choose(identity, session, chosen, seed=0)
  assert identity[found["same"].gallery].tolist() == list(range(1, 12))
  assert identity[found["different"].gallery].tolist() == list(range(2, 12))
  for kind, rows in found.items():
    assert (identity[rows.gallery] == identity[rows.probe]).all() and (rows.gallery != rows.probe).all()
    assert ((session[rows.gallery] == session[rows.probe]) == (kind == "same")).all()
  assert sessions.unmet(found) == ""
  few = sessions.choose(identity[:9], session[:9], protocol.Protocol(np.arange(0), np.array([0, 3, 6]), None), seed=0)
  assert "2 attacked people have two pictures of one session, 1 of two sessions" in sessions.unmet(few)
