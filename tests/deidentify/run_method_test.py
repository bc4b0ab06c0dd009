"""A finished run as a method: opened without its data, whole or not at all."""

import hashlib
import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import untrained_run

from configs import alpha04, private
from qm_vae import export
from qm_vae.deidentify import hiding, methods, protector, trained
from qm_vae.errors import InvalidFile
from qm_vae.experiments import config_file, export_file, schema, settings
from qm_vae.io import networks
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.models import generator
from qm_vae.services import expression
from qm_vae.types import EXPRESSIONS, Face, Service


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """What a finished run leaves, with weights that were never trained."""
  folder = tmp_path_factory.mktemp("run")
  untrained_run.write(folder)
  return folder


@pytest.mark.slow
def test_run_method_opened_without_data_hides_faces(folder):
  """A run is opened without its data and hides faces."""
  method = methods.open_method(str(folder))
  assert method.size == 32 and method.description["step"] == 5 and len(method.description["sha256"]) == 64
  image = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
  eyes = np.tile(np.float32([10, 12, 20, 12]), (3, 1))
  made, fine = protector.Protector(method)(image[[0, 0, 1]], eyes, None, np.array([1, 1, 1]), hiding._key(0))
  assert fine.all() and made.shape == image.shape and (made[0] != image[0]).mean() > 0.9
  np.testing.assert_array_equal(made[0], made[1])
  small = np.full((60, 60, 3), 99, np.uint8)
  (painted,) = hiding.Hider(method)([small], [[np.float32([20, 20, 15, 15])]], [[1]])
  assert not painted[21:34, 21:34].any()  # too small for it


@pytest.mark.slow
def test_run_method_exported_file_makes_same_pictures(folder, tmp_path):
  """An exported run makes the same pictures in another place, and leaves out what only the training needed."""
  config = json.loads((folder / "config.json").read_text())
  target = tmp_path / "run.zip"
  assert export.main([str(folder), str(target)]) == 0
  with zipfile.ZipFile(target) as archive:
    kept = json.loads(archive.read("config.json"))
    names = ["README.md", "config.json", "export.json", "generator.npz", "provenance.json"]
    assert sorted(archive.namelist()) == names
  assert kept["views"] == config["views"] and kept["data"]["root"] == ""
  image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
  eyes = np.float32([[10, 12, 20, 12]])
  made = [
    protector.Protector(methods.open_method(str(which)))(image, eyes, None, np.array([1]), hiding._key(0))[0]
    for which in (folder, target)
  ]
  np.testing.assert_array_equal(*made)


@pytest.mark.slow
def test_run_method_service_of_a_view_is_asked():
  """A decoder without a condition still hides by a view that keeps the service's answer; the paper's views do not."""
  config = private.get_config()
  config.condition.answer, config.service.checkpoint = "none", "networks/service"
  assert settings.asks_service(config)
  assert not settings.asks_service(alpha04.get_config())


def test_run_method_exported_file_damaged_foreign_refused(folder, tmp_path):
  """A damaged export, a foreign archive, and one with files elsewhere are refused by name, and write nothing."""
  target, changed = tmp_path / "run.zip", tmp_path / "changed.zip"
  export_file.write(folder, target)
  assert export.main([str(folder), str(target)]) == 1  # it exists
  with zipfile.ZipFile(target) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  index = json.loads(members["export.json"])
  elsewhere = index | {"files": index["files"] | {"../x.json": hashlib.sha256(b"{}").hexdigest()}}
  for change, words in (
    ({"config.json": members["config.json"] + b" "}, "config.json is not what was exported"),
    ({"more.npz": b""}, "other files than"),
    ({"export.json": json.dumps(elsewhere).encode(), "../x.json": b"{}"}, "which no export has"),
    ({"export.json": b"[]"}, "another format"),
  ):
    with zipfile.ZipFile(changed, "w") as archive:
      for name, content in (members | change).items():
        archive.writestr(name, content)
    with pytest.raises(InvalidFile, match=words) as refused:
      methods.open_method(str(changed))
    assert str(changed) in str(refused.value)
  assert sorted(path.name for path in tmp_path.iterdir()) == ["changed.zip", "run.zip"]
  changed.write_bytes(target.read_bytes()[:-100])
  with pytest.raises(InvalidFile, match="no exported run"):
    methods.open_method(str(changed))


@pytest.mark.slow
def test_run_method_not_finished_damaged_refused(folder, tmp_path):
  """A run that is not finished or damaged is refused."""
  rows = (folder / "metrics.jsonl").read_text()
  (folder / "metrics.jsonl").write_text(rows.replace('"epoch": ', '"epoch": 0'))
  try:
    with pytest.raises(ValueError, match="not finished"):
      methods.open_method(str(folder))
  finally:
    (folder / "metrics.jsonl").write_text(rows)
  largest = max((p for p in (folder / "checkpoints").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
  data = bytearray(largest.read_bytes())
  data[len(data) // 2] ^= 255
  largest.write_bytes(data)
  with pytest.raises(ValueError, match=r"damaged|cannot be read"):
    methods.open_method(str(folder))


def test_run_method_refused_needs_faces_another_network(tmp_path):
  """A run is refused that needs its faces or another network."""
  with pytest.raises(ValueError, match="k_same averages faces of other people"):
    methods.open_method("k_same:k=3")
  networks.save(tmp_path / "network", {"kind": "ugatit"}, {"params": {"a": np.zeros(2)}})
  (tmp_path / "provenance.json").write_text(
    json.dumps({"train": "a", "test": "b", "networks": {"deid.ugatit": "another"}})
  )
  with pytest.raises(ValueError, match=r"config\.deid\.ugatit in .* is not the one"):
    trained._check_trained_with(tmp_path, "deid.ugatit", str(tmp_path / "network"))


@pytest.mark.parametrize("condition", ["none", "class", "probabilities"])
def test_run_method_generator_is_told_the_answer_of_the_face(condition):
  """The generator and its views are told a face's answer where it has one, else what the service answers."""
  logits = jnp.float32([0.5, 2.0, -1.0])
  service = Service((), lambda params, image: jnp.broadcast_to(logits, (len(image), 3)), ("a", "b", "c"))
  told = []

  def apply(params, model_state, views, face, key, *, train, mask, answer):
    told.append((face.answer, answer))
    return generator.Generated(face.image, face.image[:, None], None)

  made = generator.Generator(None, apply, None, None, None, condition, condition)
  given = {"trained": (), "model_state": (), "views": (), "service": ()}
  face = Face(jnp.zeros((8, 8, 3)), jnp.ones((8, 8, 1)), jnp.zeros(4))
  for answer in (None, jnp.float32([0.7, 0.3, 0.0])):
    trained.generate(made, service, given, face._replace(answer=answer), jax.random.key(0))
  (in_views, asked), (in_views_given, kept) = told
  assert in_views is None and in_views_given.shape == (1, 3)
  if condition == "none":
    assert asked is None and kept is None
  else:
    np.testing.assert_array_equal(asked, generator.condition_of(condition, logits[None]))
    np.testing.assert_allclose(kept, [[1, 0, 0]] if condition == "class" else [[0.7, 0.3, 0]], atol=1e-6)


@pytest.mark.slow
def test_run_method_names_the_service_whose_answer_it_keeps(folder, tmp_path):
  """A run's service is named where its decoder or a view keeps its answer, and must be that of the training."""
  meta = expression.describe("mini_xception", 48, EXPRESSIONS)
  shapes = jax.eval_shape(expression.network(meta).init, jax.random.key(0), jnp.zeros((1, 48, 48, 1)))
  networks.save(tmp_path / "network", meta, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes))
  digest = networks.read_meta(tmp_path / "network")["sha256"]
  run = tmp_path / "run"
  run.mkdir()
  (run / "provenance.json").write_text(json.dumps({"train": "a", "test": "b", "networks": {"service": digest}}))
  config = config_file.load(folder)
  for views, condition, named in (
    (config.views, "none", False),
    (config.views, "class", True),
    (("warped_mean",), "none", True),
  ):
    with config.unlocked():
      config.views, config.condition.answer, config.service.checkpoint = views, condition, str(tmp_path / "network")
    found = trained._service(run, schema.view(config))
    assert (found is not None and found.classes == EXPRESSIONS) is named
  (run / "provenance.json").write_text(json.dumps({"train": "a", "test": "b", "networks": {}}))
  with pytest.raises(ValueError, match=r"config\.service .*is not the one"):
    trained._service(run, schema.view(config))


def test_run_method_every_array_checkpoint_read_path(tmp_path):
  """Every array of a checkpoint is read by its path."""
  tree = {"a": (jnp.arange(3), {"b c": jnp.ones((2, 2))})}
  checkpoints = Checkpoints(tmp_path / "some")
  with pytest.raises(ValueError, match="no checkpoint"):
    checkpoints.read()
  checkpoints.save(1, tree)
  checkpoints.wait()
  named = checkpoints.read()
  checkpoints.close()
  assert list(named) == ["['a'][0]", "['a'][1]['b c']"]
  np.testing.assert_array_equal(named["['a'][0]"], [0, 1, 2])
