"""From a config to the run that trains a network of attributes."""

import dataclasses

import numpy as np
import optax

from qm_vae.data.augment import Augmentation
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.parts import NetworkParts, experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.services import attributes as attribute_service
from qm_vae.training import schedule
from qm_vae.training.state import Experiment
from qm_vae.training.tasks import attributes, classifier
from qm_vae.types import FaceSet


def attributes_run(config: Config) -> Experiment:
  """The run that trains `config.service` to tell `config.attributes`, on faces whose dataset lists them.

  Raises:
    ValueError: for data without attributes, or names that they do not list.
  """
  network = config.service
  source = datasets.dataset(config.data)
  listed = getattr(source, "attributes", ())
  unlisted = sorted(set(config.attributes) - set(listed))
  if unlisted:
    raise InputError(
      f"dataset {config.data.name!r} lists no attribute {', '.join(unlisted)}; it has {', '.join(listed) or 'none'} "
      "(CelebA's are in list_attr_celeba.txt or attributes.csv, docs/data.md)"
    )
  if config.data.split == "published":
    raise InputError("config.data.split is 'published'; for attributes choose identity or order")
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  values = source.attribute_values[:, [listed.index(name) for name in config.attributes]]
  train, test = (_with_attributes(found, values) for found in (data.train, data.test))
  for name, found in (("training", train), ("test", test)):
    if not len(found):
      raise InputError(f"dataset {config.data.name!r}: the list of attributes names none of its {name} faces")
  steps = network.epochs * (len(train) // network.batch_size)
  rate = schedule.make("cosine", network.learning_rate, steps, warmup=steps // 20)
  meta = attribute_service.describe(network.architecture, network.input_size, config.attributes)
  meta |= {"source": f"trained by qm_vae on the attributes of {config.data.name}"}
  task = attributes.make(
    meta,
    optax.adamw(rate, weight_decay=network.weight_decay),
    augmentation=Augmentation(**vars(network.augment)),
    label_smoothing=network.label_smoothing,
  )
  parts = NetworkParts(meta, classifier.export, lambda row: {"test_accuracy": row["correct"]})
  return experiment_of(config, task, (), (), data._replace(train=train, test=test), network, parts)


def _with_attributes(found, values):
  """The faces whose image the list names, with the column that the task wants."""
  known = (values[found.index] != 0).all(1)
  found = found.take(np.flatnonzero(known))
  return Described(**vars(found), attributes=(values[found.index] > 0).astype(np.float32))


@dataclasses.dataclass(frozen=True)
class Described(FaceSet):
  """Faces with their attributes, for training alone: a part of them is taken without."""

  attributes: np.ndarray = None  # float32 [N, A] in {0, 1}

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The faces' columns and `attributes`."""
    return super().batch(positions) | {"attributes": self.attributes[positions]}


TASK = TaskRow(attributes_run, "quality.smile.checkpoint=FOLDER", "service.")
