"""The tasks by name. The row of a task says all that programs must know of it; it is the last line of its builder."""

from collections.abc import Callable
from typing import NamedTuple

from qm_vae.registry import Registry


class TaskRow(NamedTuple):
  """How runs of one task are made, and what becomes of what they train."""

  build: Callable  # (config: schema.Config) -> Experiment
  exported_as: str = ""  # the config key that takes the trained network, with its value; '': runs have a report
  shaped_by: str = ""  # prefix of the keys that shape the trained network, besides those of its data
  cached_in: str = ""  # folder of the cache that keeps such networks for other runs; '': none is trained for them
  check: Callable | None = None  # (config, data: Split); raises for what `build` would refuse whatever the networks


TASKS = Registry(
  "task",
  {
    "qm_vae": "qm_vae.experiments.qm_vae:TASK",
    "black_box": "qm_vae.experiments.black_box:TASK",
    "classifier": "qm_vae.experiments.classifier:TASK",
    "attributes": "qm_vae.experiments.attributes:TASK",
    "landmarks": "qm_vae.experiments.landmarks:TASK",
    "embedder": "qm_vae.experiments.embedder:TASK",
    "ugatit": "qm_vae.experiments.rivals:UGATIT",
    "amt_gan": "qm_vae.experiments.rivals:AMT_GAN",
  },
  group="qm_vae.tasks",
)
"""Each is a TaskRow."""
