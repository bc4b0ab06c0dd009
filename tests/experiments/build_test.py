"""From config to parts: splits, and the cache of trained services."""

import dataclasses
import pathlib

import numpy as np
import pytest

from configs import alpha04, black_box, default, expression, smoke
from qm_vae.data import parts, synthetic
from qm_vae.experiments import black_box as black_box_experiment
from qm_vae.experiments import datasets, resolve, run, schema, settings
from qm_vae.io import images


@pytest.fixture
def fer2013(tmp_path):
  """Two published parts of 48 x 48 noise; the second test image is also the first training image."""
  random = np.random.default_rng(0)
  train, test = (random.integers(0, 256, (num, 48, 48), np.uint8) for num in (14, 7))
  test[1] = train[0]
  path = tmp_path / "fer2013.npz"
  classes = np.array(["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"])
  arrays = {"Training_x": train, "Training_y": np.arange(14) % 7, "PublicTest_x": test, "PublicTest_y": np.arange(7)}
  np.savez(path, classes=classes, **arrays)
  return path


def test_datasets_published_split_leaves_out_test(fer2013, tmp_path):
  """A published split leaves out test images that train."""
  config = expression.get_config("fer2013")
  config.data.root = str(fer2013)
  data = datasets.load_faces(schema.view(config).data, 48, tmp_path)
  assert (len(data.train), len(data.test), data.num_duplicates, data.num_records) == (14, 6, 1, 21)
  assert 1 not in data.test.index


def test_datasets_split_dataset_not_publish_refused(tmp_path):
  """A split that a dataset does not publish is refused."""
  config = default.get_config()
  config.data.split = "published"
  with pytest.raises(ValueError, match=r"'synthetic' has no published split.*fer2013"):
    datasets.load_faces(schema.view(config).data, 64, tmp_path)


def test_datasets_people_stay_one_side_seed(tmp_path):
  """People stay on one side and the seed moves them."""
  config = smoke.get_config()
  sides = []
  for seed in (0, 0, 1):
    config.data.split_seed = seed
    data = datasets.load_faces(schema.view(config).data, 32, tmp_path)
    assert not set(data.train.identity) & set(data.test.identity)
    assert len(data.train) + len(data.test) + len(data.test.missed) == data.num_records == 84
    sides.append(data.test.name)
  assert sides[0] == sides[1] != sides[2]


def test_datasets_published_parts_share_one_numbering(tmp_path):
  """Published parts share one numbering of people."""
  (tmp_path / "celeba" / "img_align_celeba").mkdir(parents=True)
  drawn = synthetic.make(num_people=8, images_per_person=1, seed=0)
  names = [f"{i + 1:06d}.jpg" for i in range(8)]
  for i, name in enumerate(names):
    images.write_image(tmp_path / "celeba/img_align_celeba" / name, drawn[i].image)
  person = [100, 101, 102, 103, 100, 104, 105, 106]  # the first of the test part trains, too
  message = {"identity_CelebA.txt": person, "list_eval_partition.txt": [0] * 4 + [2] * 4}
  for name, column in message.items():
    (tmp_path / "celeba" / name).write_text("".join(f"{a} {b}\n" for a, b in zip(names, column, strict=True)))
  config = schema.view(default.get_config("celeba_folder")).data
  config.root, config.split = str(tmp_path / "celeba"), "published"
  config.faces.detector, config.faces.eyes = "none", "average"
  data = datasets.load_faces(config, 32, tmp_path)
  assert data.train.identities == data.test.identities == tuple(map(str, range(100, 107)))
  own = [[int(part.identities[i]) for i in part.identity] for part in (data.train, data.test)]
  assert own == [person[:4], person[4:]]
  assert len(parts.join(data.train, data.test)) == 8
  with pytest.raises(ValueError, match="two numberings"):
    parts.join(data.train, dataclasses.replace(data.test, identities=("100",)))


def test_datasets_no_faces_tell_why(tmp_path):
  """No faces tell why."""
  config = smoke.get_config()
  config.data.faces.min_size = 500
  with pytest.raises(ValueError, match=r"people|faces"):
    datasets.load_faces(schema.view(config).data, 32, tmp_path)


def test_datasets_missing_folder_asked():
  """A missing folder is asked for."""
  config = alpha04.get_config("folder")
  with pytest.raises(ValueError, match=r"config\.data\.root"):
    datasets.dataset(schema.view(config).data)


def test_datasets_cached_service_begun_another_command(tmp_path, monkeypatch):
  """A cached service that was begun by another command goes on."""
  trained = []

  def begins(config, folder):
    run.claim(config, folder)
    (folder / "checkpoints" / "1").mkdir(parents=True, exist_ok=True)
    trained.append((config.alpha, folder))
    raise KeyboardInterrupt

  monkeypatch.setattr(run, "run", begins)
  for alpha in (0.4, 0.9):
    config = smoke.get_config()
    config.alpha, config.cache_dir = alpha, str(tmp_path)
    with pytest.raises(KeyboardInterrupt):
      resolve.resolve(config)
  assert trained == [trained[0]] * 2


def test_datasets_paths_not_hang_command_given(tmp_path, monkeypatch):
  """Paths do not hang on where a command was given."""
  monkeypatch.chdir(tmp_path)
  config = black_box.get_config("folder")
  config.qualities, config.judges, config.privacy.attackers = ("expression",), {}, ()
  config.quality.smile.checkpoint, config.black_box.start = "networks/smile", "~/start"
  config.quality.expression.update(client="onnx", source="service.onnx")
  resolved = resolve.resolve(config)
  assert resolved.quality.smile.checkpoint == str(tmp_path / "networks/smile")
  assert resolved.quality.expression.source == str(tmp_path / "service.onnx")
  assert resolved.black_box.start == str(pathlib.Path("~/start").expanduser())
  assert resolved.quality.face.source == config.quality.face.source


def folder_of(**changes):
  config = alpha04.get_config()
  config.image_size = 64
  for key, value in changes.items():
    *path, last = key.split("__")
    target = config
    for part in path:
      target = target[part]
    target[last] = value
  return resolve.network_folder(settings.service_config(config, config.service))


def test_datasets_cached_service_found_shaped():
  """A cached service is found by what shaped it."""
  base = folder_of()
  assert folder_of(alpha=0.9, seed=3, epochs=2, views=("mosaic",)) == base
  assert folder_of(service__seed=3) != base
  assert folder_of(service__epochs=3) != base
  assert folder_of(service_data__options__synthetic__num_people=7) != base
  assert folder_of(image_size=32) != base


def test_black_box_run_is_built_without_a_network(tmp_path):
  """A run against a service that is a function here is built from its config."""
  config = black_box.get_config()
  config.qualities, config.judges, config.views = ("face",), {}, ("mosaic",)
  config.image_size, config.model.preset, config.cache_dir = 32, "small", str(tmp_path)
  config.data.limit = 40
  experiment = black_box_experiment.black_box_run(schema.view(config))
  assert list(experiment.parts.views) == ["mosaic"] and experiment.parts.student is not None
  assert list(experiment.parts.qualities) == ["face"] and len(experiment.data.train) >= 10
