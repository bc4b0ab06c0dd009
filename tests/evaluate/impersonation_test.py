"""Impersonation counted by hand on drawn embeddings, and what the command refuses."""

import json

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_curve

from configs import amt_gan
from qm_vae import impersonation as program
from qm_vae.deidentifiers import _amt_gan as amt_gan_file
from qm_vae.embedders import network
from qm_vae.evaluate import impersonation
from qm_vae.experiments import rivals, schema
from qm_vae.io import images, networks
from qm_vae.metrics import intervals
from qm_vae.models.amt_gan import Generator, shapes


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def faces():
  """(embeddings [60, 8] of 30 people with two pictures each, identity)."""
  rng = np.random.default_rng(0)
  identity = np.repeat(np.arange(30), 2)
  return unit(rng.normal(size=(30, 8))[identity] + 0.3 * rng.normal(size=(60, 8))), identity


def test_impersonation_threshold_roc_curve(faces):
  """The threshold is that of the roc curve."""
  embedding, identity = faces
  level, pairs = impersonation.threshold(embedding, identity, 0.01)
  rows, columns = np.triu_indices(60, 1)
  scores, same = np.sum(embedding[rows] * embedding[columns], -1), identity[rows] == identity[columns]
  assert pairs == np.sum(~same) == 60 * 59 / 2 - 30
  far, _, levels = roc_curve(same, scores, drop_intermediate=False)
  assert levels[far <= 0.01].min() > level >= levels[far > 0.01].max() - 1e-12


def test_impersonation_many_faces_compared_block_block():
  """Many faces are compared block by block."""
  random = np.random.default_rng(2)
  embedding, identity = unit(random.normal(size=(700, 4))), random.integers(0, 90, 700)
  level, pairs = impersonation.threshold(embedding, identity, 0.013)
  rows, columns = np.triu_indices(700, 1)
  scores = (embedding @ embedding.T)[rows, columns][identity[rows] != identity[columns]]
  assert pairs == len(scores)
  assert level == pytest.approx(np.quantile(scores, 1 - 0.013, method="higher"), abs=1e-12)


def test_impersonation_success_dodging_counted_face_face(faces):
  """Success and dodging are counted face by face."""
  embedding, identity = faces
  target = unit(np.random.default_rng(1).normal(size=8))
  after = np.where(np.arange(60)[:, None] < 15, target, embedding)  # a quarter becomes the target itself
  printed = impersonation.measure(embedding, after, target, identity, 0.01)
  level = printed["threshold"]
  before = sum(float(e @ target) > level for e in embedding)
  kept = sum(float(e @ target) > level for e in embedding[15:])
  assert printed["success_before"]["value"] == pytest.approx(before / 60)
  assert printed["success"]["value"] == pytest.approx((15 + kept) / 60)
  assert printed["dodged"]["value"] == pytest.approx(sum(float(e @ target) < level for e in embedding[:15]) / 60)
  assert printed["success"]["method"] == intervals.wilson_by_identity(np.ones(60), identity).method
  assert printed["cosine"] > printed["cosine_before"]


def test_impersonation_too_few_pairs_tell_no():
  """Too few pairs tell no threshold."""
  with pytest.raises(ValueError, match=r"3 pairs of different people do not tell.*0.01; use more test faces"):
    impersonation.threshold(unit(np.eye(3)), np.arange(3), 0.01)


def test_impersonation_another_run_refused_task(tmp_path, capsys):
  """Another run is refused by its task."""
  config = amt_gan.get_config("folder")
  config.task = "ugatit"
  (tmp_path / "config.json").write_text(json.dumps(config.to_dict(), default=str))
  with pytest.raises(SystemExit) as stopped:
    program.main(["--workdir", str(tmp_path)])
  assert stopped.value.code == 1 and "task 'ugatit'; give one of configs/amt_gan.py" in capsys.readouterr().err


def network_like(seed, shapes):
  random = np.random.default_rng(seed)
  return jax.tree.map(lambda one: 0.1 * random.normal(size=one.shape).astype(np.float32), shapes)


def a_run(home):
  """A finished run's folder, with untrained networks, on noise: 12 training faces of either kind and 12 to judge."""
  config, random = amt_gan.get_config("folder"), np.random.default_rng(0)
  for name, data in (("plain", config.data), ("made_up", config.target_data)):
    data.root, data.train_fraction, data.faces.detector, data.faces.eyes = str(home / name), 0.5, "none", "average"
    (home / name).mkdir()
    for i in range(24):
      images.write_png(home / name / f"{name}{i:02}.png", random.integers(0, 256, (32, 32, 3), np.uint8))
  config.image_size, config.cache_dir = 32, str(home / "cache")
  config.amt_gan.embedders = (str(home / "recogniser"),)
  (home / "config.json").write_text(json.dumps(config.to_dict()))
  meta = network.describe("small", (32, 32), (11, 15, 21, 15), options={"widths": (4, 4), "embedding_size": 8})
  module = network.network(meta)
  networks.save(home / "recogniser", meta, jax.jit(module.init)(jax.random.key(0), np.zeros((1, 32, 32, 3), "f")))
  data = rivals.two_kinds(schema.view(config), 32)
  meta = amt_gan_file.describe(32, channels=2) | {"target": data.train.first.name[0]}
  reference = amt_gan_file.reference_of(data.train.second.image[0], data.train.second.eyes[0])
  variables = network_like(1, shapes(Generator(2), 32)) | {"reference": reference}
  networks.save(home / "network", meta, variables)
  return data


def test_impersonation_finished_run_measured(tmp_path, capsys):
  """A finished run is measured."""
  data = a_run(tmp_path)
  program.main(["--workdir", str(tmp_path), "--false-accepts=0.1"])
  printed = json.loads((tmp_path / "impersonation.json").read_text())
  assert printed["n"] == len(data.test.first) == 12 and printed["target"] == data.train.first.name[0]
  (one,) = printed["embedders"]
  assert one["trained_against"] and one["pairs"] == 12 * 11 / 2 and one["success"]["n"] == 12
  assert "12 faces of other people" in (out := capsys.readouterr().out) and "(trained against)" in out
  with pytest.raises(SystemExit):
    program.main(["--workdir", str(tmp_path), "--embedder", str(tmp_path / "recogniser")])
  assert "is the same recogniser as" in capsys.readouterr().err
  (tmp_path / "plain" / "plain23.png").unlink()
  with pytest.raises(SystemExit):
    program.main(["--workdir", str(tmp_path)])
  assert "changed since the run" in capsys.readouterr().err
