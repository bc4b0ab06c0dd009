"""A run from its config to its report, for notebooks and programs alike."""

import dataclasses
import json
import pathlib

import ml_collections

from qm_vae.evaluate import EVALUATIONS, evaluate
from qm_vae.experiments import resolve, run, schema


@dataclasses.dataclass(frozen=True)
class Run:
  """A finished run."""

  workdir: pathlib.Path  # its folder; `qm_vae.deidentify(image, run.workdir)` hides faces by a trained QM-VAE
  config: ml_collections.ConfigDict  # with nothing left open
  report: dict | None  # of a task that has one, as docs/report.md has it
  network: pathlib.Path | None  # the folder of the trained network, of a task that trains one for others


def train(config: ml_collections.ConfigDict | schema.Config, workdir: str | pathlib.Path) -> Run:
  """Trains what `config` describes, with the networks it needs, evaluates it, and writes its report.

  Call it again with the same arguments to resume an interrupted run or to evaluate a finished one again.

  Args:
    config: of configs/, or `qm_vae.Config(...)`.
    workdir: folder of the run.

  Raises:
    ValueError: for a config that `schema.check` refuses, data that do not fit it, or a workdir of another run.

  Examples:
    >>> import qm_vae
    >>> config = qm_vae.Config(epochs=1, image_size=32)
    >>> run = qm_vae.train(config, "runs/first")  # doctest: +SKIP
    >>> run.report["methods"][-1]["loss_rate"]["value"]  # doctest: +SKIP
    0.41
  """
  workdir = pathlib.Path(workdir)
  given = schema.config_dict(config) if isinstance(config, schema.Config) else config
  schema.check(given)
  resolved = resolve.resolve(given)
  run.run(resolved, workdir)
  report = evaluate(workdir, command="qm_vae.train") if resolved.task in EVALUATIONS else None
  network = workdir / "network"
  return Run(workdir, resolved, json.loads(json.dumps(report)), network if network.exists() else None)
