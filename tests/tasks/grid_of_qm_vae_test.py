"""The paper's task as a grid: each member is the run that it would be by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qm_vae_task_test as tiny

from qm_vae import grid, train


@pytest.mark.slow
@pytest.mark.parametrize(
  ("points", "past"),
  [(((0.0, 0), (0.4, 0), (1.0, 0)), ()), (((0.4, 0), (0.4, 7)), tiny.PAST)],
  ids=["alphas, as published", "seeds, past the paper"],
)
def test_members_of_the_papers_task_equal_separate_runs(points, past):
  task, frozen = tiny.make(past=past)
  extra = {name: 0.1 for name in past}
  programs = grid.compile_members(task, 6, len(points), alone=len({seed for _, seed in points}) > 1)
  one = train.compile_task(task, 6)
  streams = [train.Stream(seed) for _, seed in points]
  apart = len({seed for _, seed in points}) > 1
  keys = jnp.stack([stream.key for stream in streams]) if apart else streams[0].key
  batch = tiny.batch()
  batches = jax.tree.map(lambda x: np.stack([x] * len(points)), batch) if apart else batch
  weights = [tiny.weights(alpha, **extra) for alpha, _ in points]
  stacked = jax.tree.map(lambda *each: jnp.stack(each), *weights)
  state = programs.init(keys, frozen, batches)
  single = [one.init(stream.key, frozen, batch) for stream in streams]
  for _ in range(4):
    state, terms = programs.step(state, frozen, batches, stacked, keys)
    for i, stream in enumerate(streams):
      single[i], own = one.step(single[i], frozen, batch, weights[i], stream.key)
      # A few sums of float32 are made in another order; Adam passes their differences on, at most 1e-3 of its step.
      for name in own:
        np.testing.assert_allclose(terms[name][i], own[name], rtol=1e-4, atol=1e-6, err_msg=name)
  for i in range(len(points)):
    compare = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    jax.tree.map(compare, jax.device_get(grid.member(state, i)), jax.device_get(single[i]))
  assert programs.step._cache_size() == 1
