"""Where the numbers and pictures of a training go besides metrics.jsonl: TensorBoard, W&B, MLflow.

`WRITERS[name](workdir, hparams, **options)` opens a `MetricWriter`. A factory is marked with `options.member`, declares
its options in its signature, and must declare these traits:

  package            the module that it needs
  remedy             how that is installed
  pictures           whether it takes pictures; absent where its option `pictures` says so

Nothing is on by default, and nothing leaves this machine unless an option of the writer says where to.
"""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from qm_vae.errors import InputError
from qm_vae.options import trait
from qm_vae.registry import Registry

WRITERS = Registry(
  "metric writer",
  {
    "tensorboard": "qm_vae.io.writers.on_tensorboard:make",
    "wandb": "qm_vae.io.writers.on_wandb:make",
    "mlflow": "qm_vae.io.writers.on_mlflow:make",
  },
  group="qm_vae.writers",
)


class MetricWriter(Protocol):
  """What a writer can do; the same methods as `clu.metric_writers.MetricWriter`, whose own writers need TensorFlow."""

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Numbers of one step, by names such as 'train/loss'."""
    ...

  def write_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
    """Pictures of one step, [H, W, 3] float32 in [0, 1], by name."""
    ...

  def close(self) -> None:
    """Writes what waits, and ends."""
    ...


class Choice(NamedTuple):
  """The writers of a run, before they are opened."""

  names: Sequence[str] = ()
  options: Mapping[str, Mapping[str, Any]] = {}  # of each writer that has some
  hparams: Mapping[str, Any] = {}  # of the run, by dotted key

  @property
  def takes_pictures(self) -> bool:
    """Whether a writer takes pictures; known without opening one."""
    return any(trait(WRITERS[name], "pictures") or self.options.get(name, {}).get("pictures") for name in self.names)

  def check(self) -> None:
    """Returns where every writer's package is installed.

    Raises:
      InputError: naming the writer, the package and how it is installed.
    """
    for name in self.names:
      package, remedy = trait(WRITERS[name], "package"), trait(WRITERS[name], "remedy")
      if importlib.util.find_spec(package) is None:
        raise InputError(f"config.log.writers has {name!r}, which needs the package {package}: {remedy}")

  def open(self, workdir: str | os.PathLike) -> list[MetricWriter]:
    """The opened writers of the run in `workdir`.

    Raises:
      InputError: see `check`.
    """
    self.check()
    return [WRITERS[name](workdir, self.hparams, **self.options.get(name, {})) for name in self.names]


NONE = Choice()
