"""Judges of a black-box run: their agreement with the first service whose answers they can confirm."""

from collections.abc import Mapping

import numpy as np

from qm_vae.experiments import black_box_services
from qm_vae.experiments.schema import Config
from qm_vae.io import networks
from qm_vae.metrics import utility
from qm_vae.services.black_box import BlackBox
from qm_vae.services.offered import probabilities
from qm_vae.types import FaceSet


def ask(
  config: Config, test: FaceSet, images: Mapping[str, np.ndarray], boxes: Mapping[str, BlackBox]
) -> tuple[list[dict] | None, dict[str, list[dict]]]:
  """What is known of each judge, and {method: a row for each}; (None, {}) where no judge can confirm a service.

  Args:
    config: of the run.
    test: N faces.
    images: method -> uint8 [N, S, S, 3].
    boxes: the services; the first that tells a judge's classes is asked about the originals, which costs no new query.
  """
  name = black_box_services.judged(config)
  if name is None or not config.judges:
    return None, {}
  names = boxes[name].quality.names
  truth, known, rows = boxes[name].ask(test.image).argmax(1), [], {method: [] for method in images}
  for judge, network in config.judges.items():
    meta = networks.read_meta(network.checkpoint)
    order = [meta["classes"].index(one) for one in names]
    answer = lambda image, network=network, order=order: probabilities_of(image, network.checkpoint)[:, order].argmax(1)
    own = answer(test.image)
    known.append(
      {
        "name": judge,
        "checkpoint": network.checkpoint,
        "sha256": meta["sha256"],
        "architecture": meta["architecture"],
        "classes": list(names),
        "accuracy": None,
        "agreement_on_originals": utility.rate(own == truth, test),
      }
    )
    for method, image in images.items():
      found = answer(image)
      rates = {"service_answer": utility.rate(found != truth, test), "own_answer": utility.rate(found != own, test)}
      rows[method].append({"name": judge} | rates)
  return known, rows


def probabilities_of(images: np.ndarray, checkpoint: str, batch_size: int = 64) -> np.ndarray:
  """services.offered.probabilities of many images, batch by batch."""
  parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
  return np.concatenate([probabilities(part, checkpoint=checkpoint) for part in parts])
