"""Runs that train side by side are the runs that they would be by themselves."""

import json
import os
import pathlib
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from configs import default
from qm_vae.experiments import grid
from qm_vae.io import records
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import logbook, loop

ROOT = pathlib.Path(__file__).parents[2]
ROUNDING = 1e-5  # float32 sums in another order, over a few steps of Adam


def members(folder, points, **kwargs):
  """{folder: experiment} of `tiny_run`'s task; points are (weight, seed)."""
  one = tiny_run.experiment(**kwargs)
  return {
    folder / f"weight={weight},seed={seed}": one._replace(weights=jnp.float32(weight), seed=seed)
    for weight, seed in points
  }


class InMemory:
  """Checkpoints without the second that files take."""

  def __init__(self, directory):
    self._kept = {}

  def restore(self, template):
    return self._kept[max(self._kept)] if self._kept else None

  def steps(self):
    return list(self._kept)

  def save(self, step, state):
    self._kept[step] = jax.tree.map(np.asarray, state)

  def wait(self):
    pass

  close = wait


def fit(experiments, message=None, kind=InMemory):
  """(why members failed, {folder: newest state})."""
  checkpoints = {}
  for workdir in experiments:
    workdir.mkdir(parents=True, exist_ok=True)
    checkpoints[workdir] = kind(workdir / "checkpoints")
  try:
    failed = grid.fit_folders(experiments, checkpoints, (message if message is not None else []).append)
    return failed, {workdir: one.restore(template()) for workdir, one in checkpoints.items()}
  finally:
    for one in checkpoints.values():
      one.close()


def template():
  one = tiny_run.experiment()
  return jax.eval_shape(one.task.init, *loop.init_arguments(one))


def alone(experiments, folder, kind=InMemory):
  """{name: state} of the same runs one by one."""
  states = {}
  for workdir, one in experiments.items():
    where = folder / workdir.name
    where.mkdir(parents=True)
    states[workdir.name] = jax.device_get(loop.fit(one, where, kind(where / "checkpoints")))
  return states


def assert_alike(states, separate):
  for workdir, state in states.items():
    chex.assert_trees_all_close(state, separate[workdir.name], rtol=ROUNDING, atol=1e-6)


def rows(workdir):
  return tiny_run.rows_without_speed(workdir)


@pytest.mark.parametrize(
  "points",
  [((1.0, 0), (3.0, 5)), pytest.param(((1.0, 0), (3.0, 0), (0.5, 0)), marks=pytest.mark.slow)],
  ids=["seeds", "one seed"],
)
def test_grid_members_equal_separate_runs(tmp_path, points):
  """Members equal separate runs."""
  message = []
  experiments = members(tmp_path / "grid", points, epochs=2, max_traces=1)  # one program, or chex raises
  failed, states = fit(experiments, message)
  assert failed == {} and message == [f"{len(points)} runs train as one program from step 0 on."]
  some = dict(list(members(tmp_path / "grid", points, epochs=2).items())[1:])  # one less to compile
  separate_states = alone(some, tmp_path / "alone")
  assert_alike({workdir: states[workdir] for workdir in some}, separate_states)
  for workdir in some:
    together, separate = rows(workdir), rows(tmp_path / "alone" / workdir.name)
    assert [list(row) for row in together] == [list(row) for row in separate]
    for a, b in zip(together, separate, strict=True):
      for name in a:
        if name != "split":
          np.testing.assert_allclose(a[name], b[name], rtol=ROUNDING)
    assert all(isinstance(row["n"], int) for row in together if row["split"] == "test")


@pytest.mark.slow
def test_grid_killed_grid_goes_members_other(tmp_path):
  """A killed grid goes on and members of other steps train apart."""
  points = ((1.0, 0), (2.0, 0), (3.0, 0))
  whole = fit(members(tmp_path / "whole", points, epochs=3), kind=Checkpoints)[1]
  fit(members(tmp_path / "parts", points, epochs=2), kind=Checkpoints)
  # A kill between the checkpoints of two members: the first has one more than the others.
  ahead = dict([next(iter(members(tmp_path / "parts", points, epochs=3).items()))])
  fit(ahead, kind=Checkpoints)
  message = []
  failed, parts = fit(members(tmp_path / "parts", points, epochs=3), message, Checkpoints)
  assert failed == {} and message == ["2 runs train as one program from step 6 on."]
  assert_alike(parts, {workdir.name: state for workdir, state in whole.items()})
  for workdir in parts:
    assert [row["step"] for row in rows(workdir)] == [row["step"] for row in rows(tmp_path / "whole" / workdir.name)]
  message.clear()
  assert fit(members(tmp_path / "parts", points, epochs=3), message, Checkpoints)[0] == {} and message == []


@pytest.mark.slow
def test_grid_member_not_finite_ends_others(tmp_path):
  """A member that is not finite ends and the others go on."""
  experiments = members(tmp_path / "grid", ((1.0, 0), (float("inf"), 0)), epochs=2)
  good, bad = experiments
  failed, states = fit(experiments)
  assert list(failed) == [bad] and "step 1: the term 'loss' is inf" in failed[bad]
  assert states[bad] is None and rows(bad) == []
  assert_alike({good: states[good]}, alone({good: experiments[good]}, tmp_path / "alone"))
  failed, _ = fit(members(tmp_path / "none", ((float("nan"), 0), (float("inf"), 0)), epochs=2))
  assert len(failed) == 2


def test_grid_each_member_writes_own_folder(tmp_path):
  """Each member writes to its own folder."""
  books = []
  for name in "ab":
    (tmp_path / name).mkdir()
    books.append(logbook.Logbook(tmp_path / name, InMemory(name), samples=True))
  both = grid.Logbooks(books, [None, None])
  assert both.begin(0) == 0.0 and both.wants_pictures
  both.pictures(3, np.stack([np.zeros((2, 2, 3)), np.ones((2, 2, 3))]))
  both.test(3, {"n": 5, "error": np.array([0.5, 0.25])})
  assert both.train(4, {"loss": np.array([[1.0, 2.0], [3.0, np.nan]])}, {}) == "2.0000 to 2.0000"
  assert list(both.failed) == [tmp_path / "b"] and "step 4: the term 'loss' is nan" in both.failed[tmp_path / "b"]
  both.test(5, {"n": 5, "error": np.array([0.75, np.nan])})  # the one that ended is asked no more
  both.close()
  errors = [[row.get("error") for row in records.read_rows(tmp_path / name)] for name in "ab"]
  assert errors == [[0.5, None, 0.75], [0.25]]
  one, other = ((tmp_path / name / "samples" / "00000003.png").read_bytes() for name in "ab")
  assert one != other


def config(**overrides):
  made = default.get_config()
  made.update_from_flattened_dict(overrides)
  return made


@pytest.mark.parametrize(
  ("other", "message"),
  [
    ({"epochs": 3}, "config.epochs shapes the program and differs, 40 and 3"),
    ({"views": ("mosaic",)}, "config.views"),
    ({"terms.smoothness.weight": 0.1}, "terms.smoothness.weight"),
    ({"task": "ugatit"}, "runs of task 'ugatit' train one by one"),
  ],
)
def test_grid_shapes_program_refused_name(other, message):
  """What shapes the program is refused by name."""
  with pytest.raises(ValueError, match=message):
    grid.check_alike({pathlib.Path("a"): config(), pathlib.Path("b"): config(**other)})


def test_grid_seeds_weights_differ():
  """Seeds and weights may differ."""
  smooth = "terms.smoothness.weight"
  points = [{"alpha": 0.0, smooth: 0.1}, {"beta": 1.0, smooth: 0.2}, {"seed": 3, "service_weight": 0.0, smooth: 0.1}]
  grid.check_alike({pathlib.Path(str(i)): config(**point) for i, point in enumerate(points)})


@pytest.mark.slow
@pytest.mark.parametrize("points", [((1.0, 0), (2.0, 0)), ((1.0, 0), (2.0, 1), (3.0, 2))], ids=["both axes", "batch"])
def test_grid_one_device_equals_several(tmp_path, points):
  """One device equals several."""
  code = (
    "import sys, pathlib; sys.path[:0] = ['tests/experiments', 'tests/support']; import jax, grid_test as t\n"
    "assert jax.device_count() == 4\n"
    f"states = t.fit(t.members(pathlib.Path(sys.argv[1]), {points}, epochs=2))[1]\n"
    "print([state.params.tolist() for state in states.values()])"
  )
  env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
  line = [sys.executable, "-c", code, str(tmp_path / "four")]
  done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=env, check=True)
  four = json.loads(done.stdout.strip().splitlines()[-1])
  one = fit(members(tmp_path / "one", points, epochs=2))[1]
  np.testing.assert_allclose(four, [state.params for state in one.values()], rtol=ROUNDING)
