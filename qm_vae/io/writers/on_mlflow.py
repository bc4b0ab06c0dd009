"""MLflow: by default in WORKDIR/mlflow alone, which `mlflow ui --backend-store-uri` shows."""

import os
import pathlib
import time
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from qm_vae.options import FLAG, TEXT, Option, member

_LONGEST = 500  # characters of a parameter, MLflow's own limit is 6000
_TOGETHER = 100  # parameters that MLflow takes at once


class Mlflow:
  """See `MetricWriter`."""

  def __init__(self, folder: pathlib.Path, hparams: Mapping[str, Any], uri: str, experiment: str, pictures: bool):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if not uri:
      os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder needs no database
    import mlflow  # pyright: ignore[reportMissingImports]
    from mlflow import entities  # pyright: ignore[reportMissingImports]

    self._metric, self._pictures = entities.Metric, pictures
    self._client = mlflow.MlflowClient(tracking_uri=uri or (folder / "mlflow").as_uri())
    known = folder / "mlflow_run_id"  # a resumed run goes on under the same number
    if known.exists():
      self._run = known.read_text(encoding="utf-8").strip()
      self._client.update_run(self._run, status="RUNNING")
      return
    found = self._client.get_experiment_by_name(experiment)
    number = found.experiment_id if found else self._client.create_experiment(experiment)
    self._run = self._client.create_run(number, run_name=folder.name).info.run_id
    known.write_text(self._run, encoding="utf-8")
    params = [entities.Param(key, str(value)[:_LONGEST]) for key, value in hparams.items()]
    for first in range(0, len(params), _TOGETHER):
      self._client.log_batch(self._run, params=params[first : first + _TOGETHER])

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """See `MetricWriter`."""
    now = int(time.time() * 1000)
    metrics = [self._metric(name, float(value), now, step) for name, value in scalars.items()]
    self._client.log_batch(self._run, metrics=metrics)

  def write_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
    """See `MetricWriter`; nothing without the option `pictures`."""
    for name, image in images.items() if self._pictures else ():
      self._client.log_image(self._run, np.rint(image * 255).astype(np.uint8), key=name, step=step)

  def close(self) -> None:
    """See `MetricWriter`."""
    self._client.set_terminated(self._run)


@member(package="mlflow", remedy="pip install -r requirements-mlflow.txt")
def make(
  workdir: str | os.PathLike,
  hparams: Mapping[str, Any],
  *,
  uri: Annotated[str, Option(TEXT, "of the tracking server, which is sent everything; '': WORKDIR/mlflow")] = "",
  experiment: Annotated[str, Option(TEXT, "of MLflow")] = "qm_vae",
  pictures: Annotated[bool, Option(FLAG, "also faces of the data, which with a uri leave this machine")] = False,
) -> Mlflow:
  """Scalars, and the run's config without paths, in WORKDIR/mlflow or on a server."""
  return Mlflow(pathlib.Path(workdir).absolute(), hparams, uri, experiment, pictures)
