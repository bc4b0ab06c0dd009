"""From a config to the run that trains an expression recogniser."""

import pathlib

import numpy as np
import optax

from qm_vae.data.augment import Augmentation
from qm_vae.errors import InputError
from qm_vae.experiments import settings
from qm_vae.experiments.datasets import load_faces
from qm_vae.experiments.parts import NetworkParts, experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.services import expression
from qm_vae.training import schedule
from qm_vae.training.state import Experiment
from qm_vae.training.tasks import classifier


def classifier_run(config: Config) -> Experiment:
  """The run that trains the expression recogniser `config.service`."""
  network = config.service
  data = load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  data = data._replace(train=_labelled(data.train), test=_labelled(data.test))
  if not len(data.train) or not len(data.test):
    raise InputError(
      f"dataset {config.data.name!r} carries no expression labels, so no classifier can be trained on it; give a "
      "trained or converted network in its place (--config.service.checkpoint, --config.judges.second.checkpoint), or "
      "data with labels"
    )
  steps = network.epochs * (len(data.train) // network.batch_size)
  rate = schedule.make("cosine", network.learning_rate, steps, warmup=steps // 20)
  place = pathlib.Path(config.data.root).name
  source = f"trained by qm_vae on {config.data.name}" + (f", {place}" if place else "")
  meta = expression.describe(network.architecture, network.input_size, data.train.classes, source=source)
  task = classifier.make(
    meta,
    optax.adamw(rate, weight_decay=network.weight_decay),
    augmentation=Augmentation(**vars(network.augment)),
    label_smoothing=network.label_smoothing,
  )
  parts = NetworkParts(meta, classifier.export, lambda row: {"test_accuracy": row["correct"]})
  return experiment_of(config, task, (), (), data, network, parts)


def _labelled(found):
  return found.take(np.flatnonzero(found.label >= 0))


TASK = TaskRow(classifier_run, "service.checkpoint=FOLDER", "service.", "services")
