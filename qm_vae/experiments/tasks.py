"""The tasks by name: one row says all that programs must know of each."""

import importlib
from typing import NamedTuple

import ml_collections

from qm_vae.experiments import schema
from qm_vae.training.state import Experiment


class TaskRow(NamedTuple):
  """How runs of one task are made, and what becomes of what they train."""

  build: str  # 'module:function', config -> Experiment
  exported_as: str = ""  # the config key that takes the trained network, with its value; '': runs have a report
  shaped_by: str = ""  # prefix of the keys that shape the trained network, besides those of its data
  cached_in: str = ""  # folder of the cache that keeps such networks for other runs; '': none is trained for them


TASKS = {
  "qm_vae": TaskRow("qm_vae.experiments.qm_vae:qm_vae_run"),
  "black_box": TaskRow("qm_vae.experiments.black_box:black_box_run"),
  "classifier": TaskRow(
    "qm_vae.experiments.classifier:classifier_run", "service.checkpoint=FOLDER", "service.", "services"
  ),
  "attributes": TaskRow("qm_vae.experiments.attributes:attributes_run", "quality.smile.checkpoint=FOLDER", "service."),
  "embedder": TaskRow(
    "qm_vae.experiments.embedder:embedder_run", "privacy.embedders=\"('FOLDER',)\"", "embedder.", "embedders"
  ),
  "ugatit": TaskRow("qm_vae.experiments.rivals:ugatit_run", "deid.ugatit.checkpoint=FOLDER"),
  "amt_gan": TaskRow("qm_vae.experiments.rivals:amt_gan_run", "deid.amt_gan.checkpoint=FOLDER"),
}


def experiment(config: ml_collections.ConfigDict) -> Experiment:
  """The parts of the run that `config` describes; every network's checkpoint must be given (see resolve.resolve).

  Raises:
    ValueError: for keys that `schema.check` refuses, or data that do not fit the task.
  """
  schema.check(config)
  module, function = TASKS[config.task].build.split(":")
  return getattr(importlib.import_module(module), function)(config)
