"""Controls that can fail, and the gap with its interval."""

import numpy as np
import pytest

from qm_vae import types
from qm_vae.metrics import utility


def faces(num, identity=None):
  array = np.zeros(num, np.int32)
  identity = np.arange(num, dtype=np.int32) if identity is None else np.asarray(identity, np.int32)
  image = np.zeros((num, 4, 4, 3), np.uint8)
  box = np.zeros((num, 3), np.float32)
  eyes = np.zeros((num, 4), np.float32)
  return types.FaceSet(image, np.ones_like(image[..., :1]), eyes, box, identity, array, array, ("",) * num, (), (), ())


def logits(answers, classes=3):
  return np.eye(classes)[np.asarray(answers)]


def method(name, value):
  return {"name": name, "loss_rate": {"value": value}}


@pytest.mark.parametrize(
  ("identity", "blank", "constant", "message"),
  [
    (0.0, 0.5, 0.4, None),
    (0.1, 0.5, 0.4, "unprotected image changes"),
    (0.0, 0.3, 0.4, "carry something of the original"),
    (0.0, 0.5, 0.05, "one answer for more than 90 %"),
  ],
)
def test_utility_controls_void_cannot_believed(identity, blank, constant, message):
  """Controls void what cannot be believed."""
  found = utility.controls([method("identity", identity), method("blank", blank)], {"value": constant}, faces(10))
  assert found["void"] == bool(message)
  assert message is None or message in found["reasons"][0]


def test_utility_face_need_not_vary():
  """Where a face is need not vary."""
  methods = [method("identity", 0.0), method("blank", 1.0)]
  void = lambda varied: utility.controls(methods, {"value": 0.005}, faces(10), varied=varied)["void"]
  assert void(True) and not void(False)


def test_utility_blank_right_about_crops_keep():
  """Blank may be right about crops that keep a border."""
  test = faces(10)
  test.mask[0, 0, 0] = 0
  void = lambda blank: utility.controls([method("identity", 0.0), method("blank", blank)], {"value": 0.4}, test)["void"]
  assert not void(0.3) and void(0.2)


def test_utility_constant_answer_most_frequent_one():
  """The constant answer is the most frequent one."""
  assert utility.constant_answer(faces(10), np.array([0] * 6 + [1] * 3 + [2]))["value"] == pytest.approx(0.4)


def test_utility_gap_takes_judge_differs_most():
  """The gap takes the judge that differs most."""
  truth = np.array([0] * 10)
  answers = {"service": logits([0] * 8 + [1] * 2), "a": logits([0] * 7 + [1] * 3), "b": logits([0] * 4 + [1] * 6)}
  judges = [{"name": name, "service_answer": {"value": value}} for name, value in (("a", 0.3), ("b", 0.6))]
  found = utility.gap(faces(10), truth, answers, judges)
  assert found["judge"] == "b" and found["n"] == 10
  assert found["value"] == pytest.approx(0.4)
  assert found["low"] < 0.4 < found["high"]
  assert utility.gap(faces(10), truth, answers, []) is None
  smiles = answers | {"b": np.ones((10, 1), np.float32)}
  assert utility.gap(faces(10), truth, smiles, judges)["judge"] == "a"  # smiles alone are no expressions


def test_utility_gap_without_spread_claims_no():
  """A gap without spread claims no certainty."""
  truth = np.zeros(20, int)
  answers = {"service": logits(truth), "a": logits(truth)}
  found = utility.gap(faces(20), truth, answers, [{"name": "a", "service_answer": {"value": 0.0}}])
  assert found["value"] == 0
  # Wilson's bound for 0 of 20 is 0.161.
  assert found["high"] == pytest.approx(0.161, abs=1e-3) and found["low"] == pytest.approx(-0.161, abs=1e-3)


def test_utility_loss_rate_per_expression_counts():
  """A loss rate per expression counts only its faces."""
  test, truth = faces(6), np.array([0, 0, 0, 1, 1, 2])
  original, output = {"service": logits(truth), "a": logits(truth)}, {"service": logits([0, 1, 1, 1, 1, 0])}
  output["a"] = logits([0, 0, 0, 1, 1, 1])
  found = utility.utility(test, truth, original, output, ("happy", "sad", "fear"))
  rates = {row["expression"]: row["loss_rate"] for row in found["per_expression"]}
  assert [rates[name]["n"] for name in ("happy", "sad", "fear")] == [3, 2, 1]
  assert rates["happy"]["value"] == pytest.approx(2 / 3) and rates["sad"]["value"] == 0 and rates["fear"]["value"] == 1
  assert found["loss_rate"]["value"] == pytest.approx(0.5)
  assert found["judges"][0]["service_answer"]["value"] == pytest.approx(1 / 6)
