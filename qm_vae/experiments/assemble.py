"""From a config to the parts of its run."""

import ml_collections

from qm_vae.experiments import schema
from qm_vae.experiments.tasks import TASKS
from qm_vae.training.state import Experiment


def experiment(config: schema.Config | ml_collections.ConfigDict) -> Experiment:
  """The parts of the run that `config` describes; every network's checkpoint must be given (see resolve.resolve).

  Raises:
    ValueError: for keys that `schema.check` refuses, or data that do not fit the task.
  """
  view = schema.view(config)
  schema.check(schema.plain(view))
  return TASKS[view.task].build(view)
