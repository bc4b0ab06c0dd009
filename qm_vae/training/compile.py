"""A task's functions, compiled for the devices at hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from qm_vae.losses.qm_vae import masked_mean
from qm_vae.training import distributed
from qm_vae.training.state import TO_HOST, Task


class Functions(NamedTuple):
  """A task's functions as the loop calls them; its terms are means over the batch, its counts sums."""

  init: Callable  # (key, frozen, batch) -> State
  step: Callable  # (state, frozen, batch, weights, key) -> (State, {term: float32 scalar})
  evaluate: Callable  # (state, frozen, batch, key) -> {term: float32 scalar, or counts [K]}; TO_HOST passes as it is
  pictures: Callable | None  # (state, frozen, batch, key) -> [H, W, 3]


class Programs(NamedTuple):
  """`Functions`, compiled for the devices at hand, and where what they take lives; `step` uses up the state given.

  Where is a sharding, or a pytree of them that begins as the arrays' does.
  """

  init: Any
  step: Any
  evaluate: Any
  pictures: Any
  replicated: Any  # of frozen networks and all results: everywhere
  data_sharded: Any  # of a batch of an evaluation: one part on every device
  state: Any
  weights: Any
  batch: Any  # of training
  local_rows: slice  # the rows of a batch that this process loads


def compile_task(task: Task, batch_size: int, group: distributed.Group | None = None) -> Programs:
  """The task's functions under jit with shardings: the batch split over as many devices of the group as divide it."""
  group = group or distributed.single_process()
  mesh = group.mesh(batch_size)
  replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  data_sharded = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
  return compile_functions(
    functions_of(task),
    replicated=replicated,
    data_sharded=data_sharded,
    state=replicated,
    weights=replicated,
    batch=data_sharded,
    local_rows=group.local_rows(batch_size),
  )


def functions_of(task: Task) -> Functions:
  """The task's functions with the key folded with the step and the terms reduced."""

  def step(state, frozen, batch, weights, key):
    state, terms = task.step(state, frozen, batch, weights, jax.random.fold_in(key, state.step))
    return state, _reduce(terms, batch["_mask"])

  def evaluate(state, frozen, batch, key):
    return _reduce(task.evaluate(state, frozen, batch, key), batch["_mask"])

  return Functions(task.init, step, evaluate, task.pictures)


def compile_functions(
  functions: Functions, *, replicated, data_sharded, state, weights, batch, local_rows=slice(None)
) -> Programs:
  """The functions under jit, with what they return in its place; see `Programs`."""
  return Programs(
    # Initialisation runs once: compiling it without optimisation takes a fifth of the time.
    jax.jit(functions.init, out_shardings=state, compiler_options={"xla_backend_optimization_level": 0}),
    jax.jit(functions.step, out_shardings=(state, replicated), donate_argnums=0),
    jax.jit(functions.evaluate, out_shardings=replicated),
    functions.pictures and jax.jit(functions.pictures, out_shardings=replicated),
    replicated,
    data_sharded,
    state,
    weights,
    batch,
    local_rows,
  )


def is_counts(name: str) -> bool:
  """Whether a term is a sum over the batch, not a mean."""
  return name.endswith("_counts")


def _reduce(terms, mask):
  unreduced = lambda name: is_counts(name) or name == TO_HOST
  return {name: v if unreduced(name) else masked_mean(v, mask)[0] for name, v in terms.items()}
