"""Networks of attributes: the service, its training, and both kinds offered as black boxes."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
from PIL import Image

from configs import attributes as attributes_config
from configs import black_box as black_box_config
from qm_vae.data.augment import Augmentation
from qm_vae.experiments import assemble, black_box_services
from qm_vae.io import networks
from qm_vae.services import SERVICES, attributes, expression, offered
from qm_vae.training.tasks import attributes as attributes_task

NAMES = ("Smiling", "Eyeglasses")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
  """{kind: folder of a network}."""
  found, random = {}, np.random.default_rng(0)
  for kind, describe, channels in (("expression", expression.describe, 1), ("attributes", attributes.describe, 3)):
    meta = describe("resnet", 16, NAMES) | {"options": {"widths": (4, 4)}}
    shapes = jax.eval_shape(expression.network(meta).init, jax.random.key(0), jnp.zeros((1, 16, 16, channels)))
    variables = jax.tree.map(lambda leaf: random.random(leaf.shape, np.float32) + 0.1, shapes)
    found[kind] = tmp_path_factory.mktemp(kind)
    networks.save(found[kind], meta, variables)
  return found


@pytest.mark.slow  # seconds of compilation
@pytest.mark.parametrize("kind", ["expression", "attributes"])
def test_attributes_network_offered_black_box_answers(folders, kind):
  """A network offered as a black box answers as in the graph."""
  service = SERVICES[kind](folders[kind])
  logits = np.asarray(service.apply(service.params, IMAGES.astype(np.float32) / 255), np.float64)
  expected = 1 / (1 + np.exp(-logits))
  if kind == "expression":
    expected = scipy.special.softmax(logits, axis=1)
  found = offered.probabilities(IMAGES, checkpoint=str(folders[kind]))
  assert found.shape == (5, 2)
  np.testing.assert_allclose(found, expected, atol=1e-6)  # float32


def test_attributes_kinds_not_mixed_up(folders):
  """Kinds are not mixed up."""
  with pytest.raises(ValueError, match="kind 'expression', not 'attributes'"):
    attributes.load(folders["expression"])
  with pytest.raises(ValueError, match="kind 'attributes', not 'expression'"):
    expression.load(folders["attributes"])


@pytest.mark.slow  # seconds of compilation
def test_attributes_task_learns_attributes():
  """The task learns attributes."""
  meta = attributes.describe("resnet", 16, NAMES) | {"options": {"widths": (4,), "dropout": 0.0}}
  task = attributes_task.make(meta, optax.adam(3e-2), augmentation=Augmentation(), label_smoothing=0.1)
  images = np.zeros((4, 16, 16, 3), np.uint8)
  images[2:, ..., 0], images[1::2, ..., 2] = 255, 255
  present = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])  # red, blue
  batch = {"image": images, "attributes": present, "_mask": np.ones(4, np.float32)}
  state, step = task.init(jax.random.key(0), (), batch), jax.jit(task.step)
  for i in range(60):
    state, terms = step(state, (), batch, (), jax.random.key(i))
  assert float(terms["correct"].mean()) == 1 and terms["loss"].shape == (4,)


@pytest.fixture
def celeba(tmp_path):
  """Ten pictures, of which the list names eight."""
  (tmp_path / "img").mkdir()
  for i in range(10):
    Image.fromarray(np.full((40, 40, 3), 20 * i, np.uint8)).save(tmp_path / "img" / f"{i:06}.png")
  with (tmp_path / "attributes.csv").open("w") as file:
    csv.writer(file).writerows(
      [["image", "Young", *NAMES]] + [[f"{i:06}.png", 1, 1 - 2 * (i % 2), -1] for i in (0, 1, 2, 5, 6, 7, 8, 9)]
    )
  config = attributes_config.get_config()
  config.data.root, config.cache_dir = str(tmp_path), str(tmp_path / "cache")
  config.data.faces.update(detector="none", eyes="average")
  config.image_size = config.service.input_size = 32
  return config


def test_attributes_column_follows_faces_unlisted_ones(celeba):
  """The column follows the faces and unlisted ones are left out."""
  celeba.attributes = ("Smiling", "Young")
  data = assemble.experiment(celeba).data
  for found in (data.train, data.test):
    batch = found.batch(np.arange(len(found)))
    np.testing.assert_array_equal(batch["attributes"], [[1 - int(name[5]) % 2, 1] for name in found.name])
  assert (len(data.train), len(data.test)) == (6, 2)


def test_attributes_nobody_lists(celeba):
  """Attributes that nobody lists."""
  celeba.attributes = ("Smiling", "Happy")
  with pytest.raises(ValueError, match="lists no attribute Happy; it has Young, Smiling, Eyeglasses"):
    assemble.experiment(celeba)


def _config(**changes):
  config = black_box_config.get_config()
  for key, value in changes.items():
    *path, last = key.split("__")
    target = config
    for part in path:
      target = target[part]
    target[last] = value
  return config


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"qualities": ("age",)}, "config.qualities has 'age'; config.quality has expression"),
    ({"quality__expression__source": ""}, r"config\.quality\.expression\.source is empty"),
    (
      {"quality__expression__client": "http", "quality__expression__source": "http://127.0.0.1:1/"},
      r"config\.quality\.expression: faces would be sent.*allow_sending_faces=True",
    ),
    ({"quality__face__tolerance": (0.1,), "qualities": ("face",)}, r"config\.quality\.face: tolerance"),
    ({"quality__expression__source": "offering:brightness", "black_box__questions": 99}, "must hold"),
  ],
)
def test_attributes_run_cannot_ask_refused_before(changes, message):
  """A run that cannot ask is refused before it loads anything."""
  with pytest.raises(ValueError, match=message):
    assemble.experiment(_config(**changes))


def test_attributes_network_names_asked(folders):
  """A network and the names it is asked for."""
  config = _config(quality__expression__checkpoint=str(folders["expression"]))
  with pytest.raises(ValueError, match=r"config\.quality\.expression\.names are .*'angry'.*answers in \('Smiling'"):
    black_box_services.quality(config, "expression")
  config.quality.expression.names = NAMES
  assert black_box_services.quality(config, "expression").names == NAMES
  assert black_box_services.digests(config) == {"expression": networks.read_meta(folders["expression"])["sha256"]}


def test_attributes_trained_judged():
  """Who is trained or judged."""
  assert (
    black_box_services.offered(_config()) == ["expression"] and black_box_services.judged(_config()) == "expression"
  )
  face = _config(qualities=("face",))
  assert black_box_services.offered(face) == [] and black_box_services.judged(face) is None
  own = _config()
  own.quality.expression.names = ("glasses", "none")  # the judges, which read expressions, cannot confirm them
  assert black_box_services.judged(own) is None
  with pytest.raises(ValueError, match=r"quality\.smile\.checkpoint is empty; train a network"):
    black_box_services.offered(_config(qualities=("smile",)))
