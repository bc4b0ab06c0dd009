"""Whether a generator hands out the people that it was trained on."""

from collections.abc import Mapping, Sequence

import numpy as np

from qm_vae import embedders, types
from qm_vae.metrics import memorization
from qm_vae.training.state import Split

KINDS = ("model", "baseline")
"""Kinds of methods that could hand out a training face."""


def add(methods: list[dict], recognisers: Sequence[str], data: Split, images: Mapping[str, np.ndarray]) -> str:
  """Writes `memorization` into the rows of methods of KINDS; returns why not, '' where it did.

  Args:
    methods: rows of a report.
    recognisers: paths of face recognisers; '' is none.
    data: training and test faces.
    images: method -> uint8 [N, S, S, 3], its outputs of the test faces.
  """
  reason = unmet(data, recognisers)
  if not reason:
    names = [row["name"] for row in methods if row["kind"] in KINDS]
    found = measure(data, {name: images[name] for name in names}, embedders.open_all(filter(None, recognisers)))
    for row in methods:
      row["memorization"] = found.get(row["name"])
  return reason


def unmet(data: Split, recognisers: Sequence[str]) -> str:
  """Why memorisation is not measured; '' where it is.

  Args:
    data: training and test faces.
    recognisers: their paths; '' is none.
  """
  if not any(recognisers):
    return "config.privacy.embedders names no recogniser"
  least, held_out = int(np.ceil(1 / memorization.FALSE_RATE)), len(_held_out(data))
  if held_out >= least:
    return ""
  return f"{held_out} test faces are of known people who are not among the training faces; {least} are needed"


def measure(
  data: Split, images: Mapping[str, np.ndarray], recognisers: Sequence[embedders.LoadedEmbedder]
) -> dict[str, list[dict]]:
  """Memorisation of each method by each recogniser, on test faces of people who are not among the training faces.

  Args:
    data: training and test faces.
    images: method -> uint8 [N, S, S, 3], its outputs of the test faces.
    recognisers: at least one.

  Returns:
    {method: [metrics.memorization.memorization and "embedder"]}, ready for JSON.
  """
  rows = _held_out(data)
  test, known = data.test.take(rows), np.flatnonzero(data.train.identity != types.UNKNOWN)
  train = data.train.take(known)
  found: dict[str, list[dict]] = {name: [] for name in images}
  for one in recognisers:
    of_train, of_test = one.embed(train.image, train.eyes), one.embed(test.image, test.eyes)
    for name, image in images.items():
      of_output = one.embed(image[rows], test.eyes)
      measured = memorization.memorization(of_output, of_test, of_train, test.identity, test.identity)
      for key in ("outputs", "held_out"):
        measured[key] = measured[key].as_dict()
      found[name].append({"embedder": one.name} | measured)
  return found


def _held_out(data):
  """Positions of test faces of known people who are not among the training faces."""
  identity = data.test.identity
  if (data.train.identity == types.UNKNOWN).all():
    return np.zeros(0, np.int64)
  return np.flatnonzero((identity != types.UNKNOWN) & ~np.isin(identity, data.train.identity))
