"""The report's sections on what was run: the machine, the faces, the networks and the training."""

import pathlib

import numpy as np

from qm_vae.experiments import settings
from qm_vae.experiments.schema import Config
from qm_vae.experiments.schema.networks import Network
from qm_vae.io import networks, records
from qm_vae.metrics import convergence, utility
from qm_vae.training.state import Split
from qm_vae.types import FaceSet


def faces(config: Config, data: Split) -> dict:
  """The report's section on the faces."""

  def people(found):
    return len(np.unique(found.identity[found.identity >= 0]))

  return {
    "name": config.data.name,
    "classes": list(data.test.classes),
    "image_size": int(data.test.image.shape[1]),
    "split": config.data.split,
    "seed": config.data.split_seed,
    "identities_known": _people_on_both_sides(data) is not None,
    "people_on_both_sides": _people_on_both_sides(data),
    "train": {"n": len(data.train), "identities": people(data.train)},
    "test": {"n": len(data.test), "identities": people(data.test)},
    "records": data.num_records,
    "missed": [missed._asdict() for missed in data.test.missed],
    "duplicates_dropped": data.num_duplicates,
  }


def _people_on_both_sides(data):
  if (data.test.identity < 0).any() or (data.train.identity < 0).any():
    return None
  return len(np.intersect1d(data.train.identity, data.test.identity))


def curve(workdir: pathlib.Path, last: int) -> list[dict]:
  """The evaluations made while training, up to step `last`."""
  found = []
  for row in records.read_rows(workdir):
    if row["split"] == "test" and row["step"] <= last:
      judges = {key.removeprefix("judges/"): value for key, value in row.items() if key.startswith("judges/")}
      rest = {key: value for key, value in row.items() if not key.startswith("judges/") and key != "split"}
      found.append(rest | {"judges": judges})
  return found


def training(config: Config, workdir: pathlib.Path, last: int) -> dict:
  """The report's section on the training, which took `last` steps."""
  rows = [row for row in records.read_rows(workdir) if row["split"] == "train" and row["step"] <= last]
  return {
    "epochs": config.epochs,
    "steps": last,
    "seconds": rows[-1]["seconds"] if rows else None,  # of the clock, compilation and evaluations included
    "images_per_second": float(np.median([row["images_per_second"] for row in rows])) if rows else None,
    "alpha": config.alpha,
    "service_loss": config.service_loss,
    "preset": settings.preset(config),
    "trend": convergence.trend([row["loss_rate"] for row in curve(workdir, last) if row.get("loss_rate") is not None]),
  }


def network(name: str, config: Network, logits: np.ndarray, test: FaceSet, classes: tuple[str, ...]) -> dict:
  """What is known of a network; its accuracy where the data carry labels of its classes.

  Args:
    name: of the network in the report.
    config: as `config.service`.
    logits: float [N, C], its answers on the test faces.
    test: N faces.
    classes: C names.
  """
  accuracy = None
  if (test.label >= 0).any() and set(test.classes) <= set(classes):
    known = np.flatnonzero(test.label >= 0)
    labels = np.array([classes.index(label) for label in test.classes])[test.label[known]]
    accuracy = utility.rate(logits[known].argmax(-1) == labels, test.take(known))
  meta = networks.read_meta(config.checkpoint)
  return {
    "name": name,
    "checkpoint": config.checkpoint,
    "sha256": meta["sha256"],
    "architecture": meta["architecture"],
    "source": meta.get("source"),
    "classes": list(classes),
    "accuracy": accuracy,
  }
