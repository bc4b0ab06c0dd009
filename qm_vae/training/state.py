"""The state that training carries, the contract of a task, and what the loop is given."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from qm_vae.errors import InputError
from qm_vae.types import Examples, FaceSet, Source

TO_HOST = "to_host"
"""The term under which a step, or an evaluation, hands arrays [...] to its task's host side, as they are."""


class HostStopped(InputError, RuntimeError):
  """The host's side of a task cannot go on; the message says why. What was trained is kept."""


@dataclasses.dataclass(frozen=True)
class State:
  """Everything a checkpoint holds. Frozen networks are not in it: they are arguments of the step."""

  step: jax.Array  # int32 scalar, optimiser steps taken
  params: Any  # trained by gradient
  opt_state: Any  # the optimiser's
  model_state: Any  # passed from step to step without a gradient: EMA codebook, batch statistics


_FIELDS_ON_DISK = ("step", "params", "opt_state", "carried")
"""The names that checkpoints know State's fields by; those of files must outlive those of the code."""


def _flatten_with_keys(state):
  keys = (jax.tree_util.GetAttrKey(name) for name in _FIELDS_ON_DISK)
  return tuple(zip(keys, (state.step, state.params, state.opt_state, state.model_state), strict=True)), None


jax.tree_util.register_pytree_with_keys(
  State,
  _flatten_with_keys,
  lambda _, children: State(*children),
  lambda state: ((state.step, state.params, state.opt_state, state.model_state), None),
)


class HostSide(Protocol):
  """What a task does on the host while the loop runs: it asks services outside the graph. All may raise HostStopped."""

  def on_start(self, faces: FaceSet, state: State) -> Examples:
    """The training examples, before the first step of this process; `state` is what it starts from."""
    ...

  def before_step(self, step: int) -> dict[str, np.ndarray]:
    """Columns [B, ...] added to the batch of step number `step`, from 0; the same ones at every step."""
    ...

  def after_step(self, step: int, sent: dict[str, jax.Array]) -> None:
    """Takes what the step gave under TO_HOST, perhaps not computed yet; returns at once."""
    ...

  def evaluate(self, faces: FaceSet, made: dict[str, np.ndarray]) -> dict[str, float]:
    """Further results of an evaluation, from the faces and what evaluating them gave under TO_HOST, [N, ...]."""
    ...

  def close(self) -> None:
    """Ends what was begun."""
    ...


class Task(NamedTuple):
  """What differs between training one network and another; the loop is the same (loop.py).

  All are pure. `batch` is a dict of arrays [B, ...] as `data.batches` yields; `weights` is a pytree of float32 scalars
  (traced, so that a grid over them is one program); `key` is already folded with the step. Terms are {name: [B]
  float32}; a name that ends in `_counts` holds counts [K] to be summed instead.
  """

  init: Callable  # (key, frozen, batch) -> State; the batch shows shapes and lets a codebook start from data
  step: Callable  # (state, frozen, batch, weights, key) -> (State, terms), `loss` among them
  evaluate: Callable  # (state, frozen, batch, key) -> terms
  pictures: Callable | None = None  # (state, frozen, batch, key) -> one picture [H, W, 3] in [0, 1] for TensorBoard
  host: Callable[[pathlib.Path], HostSide] | None = None  # from the run's folder


class Split(NamedTuple):
  """The faces of a run. Their `missed` lists what gave no face."""

  train: FaceSet
  test: FaceSet
  test_source: Source  # where the test faces' whole frames are; `FaceSet.index` points into it
  num_records: int  # photographs looked at
  num_duplicates: int  # test faces left out because the same image trains


class Experiment(NamedTuple):
  """All that the loop needs, and no config."""

  task: Task
  frozen: Any  # parameters of the frozen networks, an argument of every step
  weights: Any  # pytree of float32 scalars, traced
  data: Split
  seed: int
  epochs: int
  batch_size: int
  evaluate_every: int  # epochs
  checkpoint_every: int  # epochs
  log_every: int  # steps
  parts: Any  # the pieces by name, for evaluation and export; the loop does not look inside
