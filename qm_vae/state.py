"""The state that training carries, the contract of a task, and what the loop is given."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax
import jax

from qm_vae.types import FaceSet, Source


@flax.struct.dataclass
class State:
  """Everything a checkpoint holds. Frozen networks are not in it: they are arguments of the step."""

  step: jax.Array  # int32 scalar, optimiser steps taken
  params: Any  # trained by gradient
  opt_state: Any  # the optimiser's
  carried: Any  # carried from step to step without a gradient: EMA codebook, batch statistics


class Task(NamedTuple):
  """What differs between training one network and another; the loop is the same (train.py).

  All are pure. `batch` is a dict of arrays [B, ...] as `data.batches` yields; `weights` is a pytree of float32 scalars
  (traced, so that a grid over them is one program); `key` is already folded with the step. Terms are {name: [B]
  float32}; a name that ends in `_counts` holds counts [K] to be summed instead.
  """

  init: Callable  # (key, frozen, batch) -> State; the batch shows shapes and lets a codebook start from data
  step: Callable  # (state, frozen, batch, weights, key) -> (State, terms), `loss` among them
  evaluate: Callable  # (state, frozen, batch, key) -> terms
  pictures: Callable | None = None  # (state, frozen, batch, key) -> one picture [H, W, 3] in [0, 1] for TensorBoard


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
