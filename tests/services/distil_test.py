"""The student's memory, its questions and its measured fidelity; against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.io import networks
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.services import distil, expression
from qm_vae.services.answers import Quality

SETTINGS = distil.Settings(questions=4, explored=2, doubt=0.5, delay=2, warmup=0, replay=6, rehearsed=8, decay=0.5)
TOLD = {"a": Quality("classes", ("x", "y")), "b": Quality("values", ("v",), (0.1,))}


def test_distil_blind_ones_come_first_most():
  """The blind ones come first then the most doubtful."""
  doubt = jnp.array([0.1, 0.9, 0.2, 0.6, 0.4, 0.8, 0.3])
  seen = set()
  for seed in range(12):
    rows, asked, explored = map(np.asarray, distil.choose(doubt, jax.random.key(seed), SETTINGS))
    assert len(set(rows)) == 4 and explored.tolist() == [True, True, False, False]
    rest = sorted(set(range(7)) - set(rows[:2]), key=lambda row: -doubt[row])
    assert rows[2:].tolist() == rest[:2]
    assert asked.tolist() == [True, True, *(bool(doubt[row] > 0.5) for row in rows[2:])]
    seen |= set(rows[:2].tolist())
  assert seen == set(range(7))  # every picture may be drawn, however sure the student is


def test_distil_oldest_pictures_give_way_only():
  """The oldest pictures give way and only answers are kept."""
  memory = distil.empty_memory((1, 1, 3), 3, SETTINGS)
  expected = []
  for step, answered in enumerate([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]]):
    pictures = np.uint8(10 * step + np.arange(4)).reshape(4, 1, 1, 1).repeat(3, 3)
    memory["asked_image"] = memory["asked_image"].at[step % 2].set(pictures)
    target = jnp.asarray(pictures[:, 0, 0], jnp.float32) / 2
    memory = distil.remember(memory, step % 2, target, jnp.array(answered, bool))
    expected += [int(p[0, 0, 0]) for p, a in zip(pictures, answered, strict=True) if a]
  assert int(memory["count"]) == len(expected) == 9
  assert sorted(np.asarray(memory["image"])[:, 0, 0, 0].tolist()) == sorted(expected[-6:])
  np.testing.assert_array_equal(memory["target"][:, 0] * 2, memory["image"][:, 0, 0, 0])
  image, target, known = distil.recall(memory, jax.random.key(0), SETTINGS)
  assert np.asarray(image)[:4, 0, 0, 0].tolist() == expected[:-5:-1]  # the newest, whatever is drawn besides
  np.testing.assert_array_equal(target[:, 0] * 2, image[:, 0, 0, 0])
  assert known.tolist() == [1] * 8


def test_distil_nothing_rehearsed_before_anything_remembered():
  """Nothing is rehearsed before anything is remembered."""
  memory = distil.empty_memory((1, 1, 3), 3, SETTINGS)
  assert distil.recall(memory, jax.random.key(0), SETTINGS)[2].tolist() == [0] * 8
  memory = distil.remember(memory, 0, jnp.ones((4, 3)), jnp.array([True, False, False, False]))
  known = distil.recall(memory, jax.random.key(0), SETTINGS)[2]
  assert known.tolist() == [1, 0, 0, 0, 1, 1, 1, 1]


def _classes(answers):
  target = np.zeros((4, 4), np.float32)
  target[np.arange(4), answers] = 1
  target[:, 2:] = [0.5, 1]
  return jnp.asarray(target)


@pytest.mark.parametrize(("right", "expected"), [(2, 0.5), pytest.param(4, 1.0, marks=pytest.mark.slow)])
def test_distil_trust_agreement_service(right, expected):
  """Trust is the agreement with the service."""
  target, said = _classes([0, 0, 1, 1]), np.where(np.arange(4) < right, [0, 0, 1, 1], [1, 1, 0, 0])
  raw = jnp.concatenate([jnp.eye(2)[said] * 9.0, jnp.array([[0.55, 9.0]] * 4)], -1)
  fidelity = distil.unmeasured(TOLD)
  assert float(distil.trust(fidelity["a"])) == 0
  fidelity = distil.measured(TOLD, fidelity, -raw, target, jnp.ones(4), 0.5)
  for _ in range(6):
    fidelity = distil.measured(TOLD, fidelity, raw, target, jnp.ones(4), 0.5)
  np.testing.assert_allclose(distil.trust(fidelity["a"]), expected, atol=1e-3)  # 0.5 ** 24 is left of the first
  np.testing.assert_allclose(fidelity["a"]["n"], 4 / (1 - 0.5**4), rtol=1e-3)
  np.testing.assert_allclose(distil.trust(fidelity["b"]), 1.0, atol=1e-3)  # 0.55 is within 0.1 of 0.5


def test_distil_pictures_not_drawn_blindly_not():
  """Pictures that were not drawn blindly do not count."""
  raw, target = jnp.zeros((4, 4)), _classes([0, 1, 0, 1])
  before = distil.unmeasured(TOLD)
  after = distil.measured(TOLD, before, raw.at[:, 0].set(jnp.nan), target, jnp.zeros(4), 0.9)
  for name, one in before.items():
    for key, value in one.items():
      assert float(after[name][key]) == float(value) == 0


def test_distil_students_columns_service():
  """The students columns by service."""
  parts = distil.by_service(TOLD, jnp.arange(8.0).reshape(2, 4))
  np.testing.assert_array_equal(parts["a"], [[0, 1], [4, 5]])
  np.testing.assert_array_equal(parts["b"], [[2, 3], [6, 7]])


@pytest.fixture(scope="module")
def start(tmp_path_factory):
  """Folder of an untrained network that tells x, y and z."""
  folder = tmp_path_factory.mktemp("start") / "network"
  module = EXPRESSION_NETWORKS["resnet"](num_classes=3)
  variables = jax.jit(module.init)(jax.random.key(3), jnp.zeros((1, 48, 48, 1)))
  networks.save(folder, expression.describe("resnet", 48, ("x", "y", "z")), variables)
  return str(folder)


def test_distil_student_begins_answers_network_starts(start):
  """A student begins with the answers of the network it starts from."""
  student = distil.student({"a": Quality("classes", ("z", "x", "y"))}, "resnet", 48, start)
  image = jax.random.uniform(jax.random.key(1), (2, 64, 64, 3))

  @jax.jit
  def answer(key):
    variables = student.init(key)
    return student.apply(variables["params"], variables["batch_stats"], image, False, None)[0]

  service = expression.load(start)
  expected = jax.jit(service.apply)(service.params, image)[:, [2, 0, 1]]
  np.testing.assert_allclose(answer(jax.random.key(0)), expected, rtol=1e-3, atol=1e-5)


def test_distil_student_other_answers_starts_layers(start):
  """A student of other answers starts with the layers below alone."""
  begun = jax.jit(distil.student(TOLD, "resnet", 48, start).init)(jax.random.key(0))["params"]
  drawn = jax.jit(distil.student(TOLD, "resnet", 48).init)(jax.random.key(0))["params"]
  np.testing.assert_array_equal(begun["logits"]["kernel"], drawn["logits"]["kernel"])
  assert jax.tree.map(jnp.shape, begun) == jax.tree.map(jnp.shape, drawn)
  assert not np.allclose(begun["stage_2"]["kernel"], drawn["stage_2"]["kernel"])


def test_distil_start_another_architecture_refused_name(start):
  """A start of another architecture is refused by name."""
  with pytest.raises(ValueError, match=r"network holds a resnet.*is a mini_xception"):
    distil.student(TOLD, "mini_xception", 48, start)


def test_distil_student_answers_in_place_of_a_service():
  """The student stands for the first service that tells classes, one picture or many; none where none does."""
  images = np.random.default_rng(0).uniform(size=(3, 48, 48, 3)).astype(np.float32)
  pupil = distil.student(TOLD, "resnet", 48)
  variables = pupil.init(jax.random.key(0))
  service = distil.as_service(pupil, TOLD, variables["params"], variables["batch_stats"])
  raw, _ = pupil.apply(variables["params"], variables["batch_stats"], images, False, None)
  assert service.classes == ("x", "y")
  np.testing.assert_allclose(service.apply(service.params, images), raw[:, :2], atol=1e-5)  # float32 sums
  np.testing.assert_allclose(service.apply(service.params, images[1]), raw[1, :2], atol=1e-5)
  assert distil.as_service(pupil, {"b": TOLD["b"]}, None, None) is None
