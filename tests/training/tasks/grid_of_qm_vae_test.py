"""The paper's task as a grid: each member is the run that it would be by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qm_vae_task_test as tiny

from qm_vae.experiments import grid
from qm_vae.training import loop


@pytest.mark.slow
@pytest.mark.parametrize(
  ("points", "past"),
  [(((0.0, 0), (0.4, 0), (1.0, 0)), ()), (((0.4, 0), (0.4, 7)), tiny.PAST)],
  ids=["alphas, as published", "seeds, past the paper"],
)
def test_grid_members_papers_task_equal_separate(points, past):
  """Members of the papers task equal separate runs."""
  task, frozen = tiny.make(past=past)
  extra = {name: 0.1 for name in past}
  programs = grid.compile_members(task, 6, len(points), alone=len({seed for _, seed in points}) > 1)
  one = loop.compile_task(task, 6)
  streams = [loop.Stream(seed) for _, seed in points]
  apart = len({seed for _, seed in points}) > 1
  keys = jnp.stack([stream.key for stream in streams]) if apart else streams[0].key
  batch = tiny.batch()
  batches = jax.tree.map(lambda x: np.stack([x] * len(points)), batch) if apart else batch
  weights = [tiny.weights(alpha, **extra) for alpha, _ in points]
  stacked = jax.tree.map(lambda *each: jnp.stack(each), *weights)
  state = programs.init(keys, frozen, batches)
  for i, stream in enumerate(streams):
    start = one.init(stream.key, frozen, batch)
    assert distance(grid.member(state, i), start) < 1e-6
  for _ in range(4):
    before = jax.device_get(state)
    state, terms = programs.step(state, frozen, batches, stacked, keys)
    for i, stream in enumerate(streams):
      single, own = one.step(grid.member(before, i), frozen, batch, weights[i], stream.key)
      for name in own:  # sums of float32 in another order
        np.testing.assert_allclose(terms[name][i], own[name], rtol=1e-4, atol=1e-6, err_msg=name)
      after = grid.member(jax.device_get(state), i)
      # Gradients are within rounding, of which an encoding between two codes makes more.
      assert distance(after.opt_state, single.opt_state) < 1e-2
      assert distance(after.model_state, single.model_state) < 1e-2
      # Adam makes a step of the whole rate out of a gradient that is nothing but rounding.
      assert distance(after.params, single.params) < 1e-2
  assert int(state.step) == 4
  assert programs.step._cache_size() == 1


def distance(tree, other):
  """Between all arrays of two trees, relative to the length of the second."""
  pairs = list(zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True))
  squares = lambda x: float(np.sum(np.square(np.asarray(x, float))))
  apart = sum(squares(np.asarray(a, float) - np.asarray(b, float)) for a, b in pairs)
  return (apart / sum(squares(b) for _, b in pairs)) ** 0.5
