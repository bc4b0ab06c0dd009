"""From a config to the parts of a privacy table, and the face recogniser that is trained for it."""

import dataclasses

import ml_collections
import numpy as np
import optax

from qm_vae.data.augment import Augmentation
from qm_vae.embedders import network
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.parts import NetworkParts, experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.privacy import protocol
from qm_vae.training import schedule
from qm_vae.training.state import Experiment
from qm_vae.training.tasks import embedder

_EYES = (0.342, 0.462, 0.656, 0.462)
"""Where eyes stand in the input of a recogniser trained here, as shares of its sides: ArcFace's template."""


def embedder_run(config: Config) -> Experiment:
  """The run that trains `config.embedder` on the people of `config.data` of whom there are two faces or more.

  Raises:
    ValueError: where too few people are known.
  """
  network_config = config.embedder
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  train, test = (found.take(protocol.several_faces(found.identity)) for found in (data.train, data.test))
  people = np.unique(train.identity)
  if len(people) < protocol.MIN_PEOPLE or not len(test):
    raise InputError(
      f"dataset {config.data.name!r} has {len(people)} people with two training faces or more; a face recogniser needs "
      f"at least {protocol.MIN_PEOPLE}, and others to test it. Give identities, or a recogniser"
    )
  numbered = np.searchsorted(people, train.identity).astype(np.int32)
  train = dataclasses.replace(train, identity=numbered)
  test = test.take(np.argsort(test.identity, kind="stable"))  # a batch holds pairs
  meta = network.describe(
    network_config.architecture, (network_config.input_size,) * 2, np.multiply(_EYES, network_config.input_size)
  )
  trainable = embedder.network(
    network.network(meta),
    lambda batch: network.preprocess(batch["image"], batch["eyes"], meta),
    Augmentation(**vars(network_config.augment)),
  )
  steps = network_config.epochs * (len(train) // network_config.batch_size)
  rate = schedule.make("cosine", network_config.learning_rate, steps, warmup=steps // 20)
  optimizer = optax.adamw(rate, weight_decay=network_config.weight_decay)
  task = embedder.make(trainable, len(people), optimizer, margin=network_config.margin, towards=0.0)
  parts = NetworkParts(meta, embedder.export, _test_result)
  return experiment_of(config, task, embedder.Start(), (), data._replace(train=train, test=test), network_config, parts)


def _test_result(row):
  return {"test_nearest": row["nearest"] / max(row["has_mate"], 1e-9)}


def config_of_embedder(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """The config of the run that trains `config.embedder` on `config.service_data`, or on the run's own faces."""
  derived = settings.service_config(config, config.service)
  with derived.unlocked():
    derived.task = "embedder"
    derived.log.writers = ()
    derived.data.split = "identity"
  return derived


TASK = TaskRow(embedder_run, "privacy.embedders=\"('FOLDER',)\"", "embedder.", "embedders")
