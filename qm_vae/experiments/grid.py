"""Many runs that differ in their seed and in the weights of the loss alone, trained side by side as one program.

Every array of the state gets a leading axis of members. Frozen networks are shared and, where all members have one
seed, so are the batches, their augmentation, the views and the service's answers on the originals. Members of several
seeds each get the order of faces and the noise that their own seed gives: every member trains as it would by itself.
"""

import contextlib
import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from qm_vae.errors import InputError
from qm_vae.experiments import assemble, provenance, qm_vae, run, schema, settings
from qm_vae.io import run_folder, writers
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import loop
from qm_vae.training.compile import Functions, Programs, compile_functions, functions_of
from qm_vae.training.logbook import Logbook, NotFinite
from qm_vae.training.state import Experiment, State

_AXES = State(step=None, params=0, opt_state=0, model_state=0)  # members take their steps together


def fit(
  configs: Mapping[pathlib.Path, ml_collections.ConfigDict], tell: Callable[[str], None] = print
) -> dict[pathlib.Path, str]:
  """Trains every run in its own folder, or resumes it; each folder ends as `run.run` would leave it.

  Runs whose newest checkpoints are of one step train as one program; a process killed between the checkpoints of two
  members leaves two such groups. A member whose loss is no longer finite ends there, the others go on.

  Args:
    configs: {folder of the run: its config, as `resolve.resolve` returns it}.
    tell: called with what begins.

  Returns:
    {folder: why it did not finish}; empty where all did.

  Raises:
    ValueError: when the configs differ in more than seed and weights, or the task is another than qm_vae.
  """
  check_alike(configs)
  failed, ready, first = {}, {}, None
  first_config = next(iter(configs.values()))
  with contextlib.ExitStack() as stack:
    for workdir, config in configs.items():
      try:
        stack.enter_context(run_folder.locked(workdir))
        run.claim(config, workdir)
        first = first or assemble.experiment(config)
        provenance.check(schema.view(config), first, workdir)
        ready[workdir] = Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
        stack.callback(ready[workdir].close)
      except ValueError as error:
        failed[workdir] = str(error)
    if first is None:
      return failed
    experiments = {
      workdir: first._replace(seed=configs[workdir].seed, weights=qm_vae.weights_of(configs[workdir]))
      for workdir in ready
    }
    choices = {workdir: settings.writers_of(configs[workdir]) for workdir in ready}
    return failed | fit_folders(experiments, ready, tell, choices, samples=first_config.samples)


def fit_folders(
  experiments: Mapping[pathlib.Path, Experiment],
  checkpoints: Mapping[pathlib.Path, Checkpoints],
  tell: Callable[[str], None] = print,
  choices: Mapping[pathlib.Path, writers.Choice] | None = None,
  *,
  samples: bool = False,
) -> dict[pathlib.Path, str]:
  """`fit` with its parts given: experiments that differ in `seed` and in the values of `weights` alone, by folder.

  `options` are those of `train.fit`.
  """
  first, failed, by_step = next(iter(experiments.values())), {}, {}
  last = first.epochs * (len(first.data.train) // first.batch_size)
  template = jax.eval_shape(first.task.init, *loop.init_arguments(first))
  for workdir in experiments:
    state = checkpoints[workdir].restore(template)
    by_step.setdefault(0 if state is None else int(state.step), {})[workdir] = state
  for step, states in sorted(by_step.items()):
    if step < last:
      tell(f"{len(states)} {'runs train as one program' if len(states) > 1 else 'run trains'} from step {step} on.")
      choice = lambda workdir: (choices or {}).get(workdir, writers.NONE)
      books = [Logbook(at, checkpoints[at], choice=choice(at), samples=samples) for at in states]
      book = Logbooks(books, list(states.values()))
      with contextlib.suppress(NotFinite):  # raised when no member is left; the book knows why
        fit_members([experiments[workdir] for workdir in states], book)
      failed |= book.failed
  return failed


def fit_members(experiments: Sequence[Experiment], book: "Logbooks") -> State:
  """`train.loop` over members: experiments that differ in `seed` and in the values of `weights` alone.

  Returns:
    The state after the last step; all but `step` with a leading axis of members.
  """
  first, seeds = experiments[0], [one.seed for one in experiments]
  alone = len(set(seeds)) > 1
  stream = Streams(seeds) if alone else loop.Stream(seeds[0])
  weights = jax.tree.map(lambda *each: jnp.stack(each), *[one.weights for one in experiments])
  programs = compile_members(first.task, first.batch_size, len(experiments), alone=alone)
  return loop.loop(first._replace(weights=weights), programs, stream, book)


def compile_members(task, batch_size: int, count: int, *, alone: bool) -> Programs:
  """The programs of `count` members: over as many devices as divide them, the batch over those that are left.

  Args:
    task: of every member; it has no host side.
    batch_size: of one member.
    count: members.
    alone: whether every member has a key and training batches of its own, with a leading axis of members.
  """
  one, own = functions_of(task), 0 if alone else None
  functions = Functions(
    init=jax.vmap(one.init, (own, None, own), _AXES, axis_size=count),
    step=jax.vmap(one.step, (_AXES, None, own, 0, own), (_AXES, 0), axis_size=count),
    evaluate=jax.vmap(one.evaluate, (_AXES, None, None, own), axis_size=count),
    pictures=one.pictures and jax.vmap(one.pictures, (_AXES, None, None, own), axis_size=count),
  )
  across = math.gcd(count, jax.device_count())
  within = math.gcd(batch_size, jax.device_count() // across)
  mesh = jax.make_mesh(
    (across, within), ("member", "data"), axis_types=(jax.sharding.AxisType.Auto,) * 2,
    devices=jax.devices()[: across * within],
  )  # fmt: skip
  place = lambda *names: jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*names))
  member = place("member")
  return compile_functions(
    functions,
    replicated=place(),
    data_sharded=place("data"),
    state=State(step=place(), params=member, opt_state=member, model_state=member),
    weights=member,
    batch=place("member", "data") if alone else place("data"),
  )


class Streams(loop.Stream):
  """The streams of several seeds side by side: keys [M], batches [M, B, ...]."""

  def __init__(self, seeds: Sequence[int]):
    self._streams = [loop.Stream(seed) for seed in seeds]
    self.key = jnp.stack([stream.key for stream in self._streams])

  def first(self, experiment: Experiment) -> tuple:
    """See `train.Stream`."""
    keys, _, batches = zip(*[stream.first(experiment) for stream in self._streams], strict=True)
    return jnp.stack(keys), experiment.frozen, _stacked(batches)

  def epoch(self, *arguments) -> Iterator[dict[str, np.ndarray]]:
    """See `train.Stream`."""
    return map(_stacked, zip(*[stream.epoch(*arguments) for stream in self._streams], strict=True))


class Logbooks:
  """One `Logbook` per member; takes what the loop hands over with a leading axis of members."""

  def __init__(self, books: Sequence[Logbook], states: Sequence[State | None]):
    """`states`: what was restored for each, all of one step; None for all where they begin."""
    self._books, self._states = books, states
    self.failed: dict[pathlib.Path, str] = {}  # folder of a member that ended early: why

  def restore(self, template: State) -> State | None:
    """The members' states as one, on the host."""
    del template
    if self._states[0] is None:
      return None
    joined = jax.tree.map(lambda *each: np.stack(each), *self._states)
    return dataclasses.replace(joined, step=self._states[0].step)

  def begin(self, step: int) -> float:
    """See `Logbook`; the seconds of the member that has taken longest."""
    return max(book.begin(step) for book in self._books)

  def train(self, step: int, values: dict, counts: dict, **where) -> str:
    """See `Logbook`; values [steps, M], counts [M, K]."""
    speeds = self._each(
      lambda book, i: book.train(
        step, {name: v[:, i] for name, v in values.items()}, {name: v[i] for name, v in counts.items()}, **where
      )
    )
    return f"{min(speeds, key=float)} to {max(speeds, key=float)}"

  def test(self, step: int, result: dict, **where) -> None:
    """See `Logbook`; arrays [M], and what is the same for all as a number."""
    own = lambda value, i: value if np.ndim(value) == 0 else float(value[i])
    self._each(lambda book, i: book.test(step, {name: own(v, i) for name, v in result.items()}, **where))

  def tested(self, step: int) -> bool:
    """See `Logbook`."""
    return all(book.tested(step) for book in self._books)

  is_leader = True  # members train within one process

  @property
  def wants_pictures(self) -> bool:
    """See `Logbook`."""
    return any(book.wants_pictures for book in self._books)

  def pictures(self, step: int, made) -> None:
    """See `Logbook`; [M, H, W, 3]."""
    self._each(lambda book, i: book.pictures(step, made[i]))

  def save(self, step: int, state: State) -> None:
    """See `Logbook`; each member's checkpoint is the one that it would write by itself."""
    state = jax.device_get(state)
    self._each(lambda book, i: book.save(step, member(state, i)))

  def keep(self, step: int, state: State) -> None:
    """See `Logbook`."""
    state = jax.device_get(state)
    self._each(lambda book, i: book.keep(step, member(state, i)))

  def wait(self) -> None:
    """See `Logbook`."""
    for book in self._books:
      book.wait()

  def close(self) -> None:
    """See `Logbook`."""
    for book in self._books:
      book.close()

  def _each(self, write):
    """What `write(book, number)` returns of every member that continues; ends those that are not finite."""
    speeds = []
    for i, book in enumerate(self._books):
      if book.workdir in self.failed:
        continue
      try:
        speeds.append(write(book, i))
      except NotFinite as error:
        self.failed[book.workdir] = str(error)
    if not speeds:
      raise NotFinite("; ".join(f"{workdir.name}: {why}" for workdir, why in self.failed.items()))
    return speeds


def member(state: State, number: int) -> State:
  """The state of one member."""
  of = lambda tree: jax.tree.map(lambda x: x[number], tree)
  return State(state.step, of(state.params), of(state.opt_state), of(state.model_state))


def check_alike(configs: Mapping[pathlib.Path, ml_collections.ConfigDict]) -> None:
  """Returns when the configs may train as one program.

  Raises:
    ValueError: naming the key that stands in the way.
  """
  first = None
  for config in configs.values():
    schema.check(config)
    if config.task != "qm_vae":
      raise InputError(f"runs of task {config.task!r} train one by one; only those of task 'qm_vae' train as a grid")
    shaping = qm_vae.shaping(schema.flatten(config))
    first = first or shaping
    changed = [key for key in sorted(first.keys() | shaping.keys()) if first.get(key) != shaping.get(key)]
    if changed:
      raise InputError(
        f"config.{changed[0]} shapes the program and differs, {first.get(changed[0])!r} and "
        f"{shaping.get(changed[0])!r}; within a grid only seed, alpha, beta, service_weight and the weights of terms "
        "above 0 may differ"
      )


def _stacked(batches):
  return {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
