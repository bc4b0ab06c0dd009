"""Impersonation counted by hand on drawn embeddings, and what the command refuses."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from configs import amt_gan
from qm_vae import impersonation, rates


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def faces():
  """(embeddings [60, 8] of 30 people with two pictures each, identity)."""
  rng = np.random.default_rng(0)
  identity = np.repeat(np.arange(30), 2)
  return unit(rng.normal(size=(30, 8))[identity] + 0.3 * rng.normal(size=(60, 8))), identity


def test_the_threshold_is_that_of_the_roc_curve(faces):
  embedding, identity = faces
  level, pairs = impersonation.threshold(embedding, identity, 0.01)
  rows, columns = np.triu_indices(60, 1)
  scores, same = np.sum(embedding[rows] * embedding[columns], -1), identity[rows] == identity[columns]
  assert pairs == np.sum(~same) == 60 * 59 / 2 - 30
  far, _, levels = roc_curve(same, scores, drop_intermediate=False)
  assert levels[far <= 0.01].min() > level >= levels[far > 0.01].max() - 1e-12


def test_success_and_dodging_are_counted_face_by_face(faces):
  embedding, identity = faces
  target = unit(np.random.default_rng(1).normal(size=8))
  after = np.where(np.arange(60)[:, None] < 15, target, embedding)  # a quarter becomes the target itself
  told = impersonation.measure(embedding, after, target, identity, 0.01)
  level = told["threshold"]
  before = sum(float(e @ target) > level for e in embedding)
  kept = sum(float(e @ target) > level for e in embedding[15:])
  assert told["success_before"]["value"] == pytest.approx(before / 60)
  assert told["success"]["value"] == pytest.approx((15 + kept) / 60)
  assert told["dodged"]["value"] == pytest.approx(sum(float(e @ target) < level for e in embedding[:15]) / 60)
  assert told["success"]["method"] == rates.wilson_by_identity(np.ones(60), identity).method
  assert told["cosine"] > told["cosine_before"]


def test_too_few_pairs_tell_no_threshold():
  with pytest.raises(ValueError, match=r"3 pairs of different people do not tell.*0.01; use more test faces"):
    impersonation.threshold(unit(np.eye(3)), np.arange(3), 0.01)


def test_another_run_is_refused_by_its_task(tmp_path, capsys):
  config = amt_gan.get_config("folder")
  config.task = "ugatit"
  (tmp_path / "config.json").write_text(json.dumps(config.to_dict(), default=str))
  with pytest.raises(SystemExit) as stopped:
    impersonation.main(["--workdir", str(tmp_path)])
  assert stopped.value.code == 1 and "task 'ugatit'; give one of configs/amt_gan.py" in capsys.readouterr().err
