"""The pieces of a run, and how they come together."""

from collections.abc import Callable
from typing import NamedTuple

from qm_vae.training.state import Experiment


class NetworkParts(NamedTuple):
  """The pieces of a run that trains a network to be kept."""

  meta: dict  # what network.json says of it
  export: Callable  # State -> its variables
  result: Callable  # last test row of metrics.jsonl -> what network.json says of its test


def experiment_of(config, task, frozen, weights, data, lengths, parts) -> Experiment:
  """The pieces together; `lengths` holds seed, epochs and batch size: the config, or the network that a run trains."""
  return Experiment(
    task=task,
    frozen=frozen,
    weights=weights,
    data=data,
    seed=lengths.seed,
    epochs=lengths.epochs,
    batch_size=lengths.batch_size,
    evaluate_every=config.evaluate_every,
    checkpoint_every=config.checkpoint_every,
    log_every=config.log_every,
    parts=parts,
  )
