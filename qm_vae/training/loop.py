"""The one training loop."""

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np

from qm_vae.data.batches import batches, epoch_order
from qm_vae.errors import InputError
from qm_vae.io import progress, writers
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import distributed, interrupt
from qm_vae.training.compile import Programs, compile_task, is_counts
from qm_vae.training.logbook import Logbook, code_use, plain
from qm_vae.training.state import TO_HOST, Experiment, HostSide, HostStopped, State
from qm_vae.types import Examples, FaceSet

AfterTest = Callable[[int, State, dict], None]
"""(epoch, state, what the evaluation found) -> nothing; the state is the step's own, to be read at once."""

_AHEAD = 2  # batches on their way to the device while a step runs


def fit(
  experiment: Experiment,
  workdir: str | pathlib.Path,
  checkpoints: Checkpoints | None,
  *,
  choice: writers.Choice = writers.NONE,
  samples: bool = False,
  group: distributed.Group | None = None,
  after_test: AfterTest | None = None,
) -> State:
  """Trains to the last epoch, going on from the newest whole checkpoint.

  Every random number follows from the seed and the step, and the order of faces from the seed and the epoch; a run that
  was killed and is resumed therefore ends in the same state, bit for bit on a CPU, as one that was not. When a task's
  host side stops, the state is kept as it is, in the middle of an epoch too.

  Args:
    experiment: see state.Experiment.
    workdir: metrics.jsonl is written here.
    checkpoints: where the state is kept; None in a process that does not lead.
    choice: further writers of scalars and image grids.
    samples: also write the image grids to WORKDIR/samples/STEP.png.
    group: the processes that train, every one of which calls this; None: this one, on all its devices. Only the one
      that leads reads and writes `workdir` and `checkpoints`.
    after_test: called in the process that leads after every evaluation.

  Returns:
    The state after the last step, on the device.

  Raises:
    NotFinite: when a loss term is NaN or infinite; no checkpoint is written from then on.
    HostStopped: when the task's host side cannot go on.
    Interrupted: after Ctrl-C or SIGTERM; the state is kept.
    ValueError: when the training faces do not fill one batch, or the task or the batch cannot be shared by processes.
  """
  group = group or distributed.single_process()
  if experiment.task.host and group.size > 1:
    raise InputError(
      f"the task asks services from its host, and {group.size} processes would each ask; let one process train it, on "
      "any number of devices"
    )
  programs = compile_task(experiment.task, experiment.batch_size, group)
  book = Logbook(workdir, checkpoints, choice=choice, samples=samples, group=group)
  return loop(experiment, programs, Stream(experiment.seed, programs.local_rows), book, after_test)


def loop(
  experiment: Experiment,
  programs: Programs,
  stream: "Stream",
  book: Logbook,
  after_test: AfterTest | None = None,
) -> State:
  """`fit` with its parts given: one run's, or those of many that train side by side (grid.py).

  Args:
    experiment: its `seed` is not looked at, nor are `task.init`, `step`, `evaluate` and `pictures`.
    programs: what is called in their place; all results may have leading axes, which `book` knows.
    stream: keys and the order of faces.
    book: where results go.
    after_test: see `fit`.
  """
  key = stream.key
  frozen = jax.device_put(experiment.frozen, programs.replicated)
  weights = jax.device_put(experiment.weights, programs.weights)
  state = _start(experiment, programs, stream, book)
  step = int(state.step)
  began = time.perf_counter() - book.begin(step)

  def clock():
    return round(time.perf_counter() - began, 2)

  per_epoch = len(experiment.data.train) // experiment.batch_size
  first_epoch, done = step // per_epoch + 1, step % per_epoch
  host = experiment.task.host and experiment.task.host(book.workdir)

  def judged(epoch):
    """Whether the test faces are judged after that epoch."""
    return epoch == experiment.epochs or (epoch > 0 and epoch % experiment.evaluate_every == 0)

  def judge(epoch):
    result = evaluate(programs, state, frozen, experiment.data.test, experiment.batch_size, key, host)
    book.test(step, result, epoch=epoch)
    if after_test and book.is_leader:
      after_test(epoch, state, result)
    if programs.pictures and book.wants_pictures:
      batch = next(batches(experiment.data.test, np.arange(len(experiment.data.test)), 8, pad=True))
      book.pictures(step, programs.pictures(state, frozen, batch, key))

  bar = progress.bar(experiment.epochs * per_epoch, "train", "step", initial=step, shown=book.is_leader)
  stack = contextlib.ExitStack()
  try:
    signalled = stack.enter_context(interrupt.deferred())
    examples = host.on_start(experiment.data.train, state) if host else experiment.data.train
    if not done and judged(first_epoch - 1) and not book.tested(step):
      judge(first_epoch - 1)  # a service failed in the midst of it
    for epoch in range(first_epoch, experiment.epochs + 1):
      window = _Window(book, bar, epoch, experiment.batch_size, clock)
      remaining, done = stream.epoch(examples, experiment.batch_size, epoch, done), 0
      for batch in _ahead(remaining, programs.batch):
        if host:
          batch |= _put(host.before_step(step), programs.batch)
        state, terms = programs.step(state, frozen, batch, weights, key)
        if host:
          host.after_step(step, terms.pop(TO_HOST))
        step += 1
        window.add(terms)
        if len(window) == experiment.log_every and step % per_epoch:
          window.flush(step)
        if number := signalled():
          window.flush(step)
          raise interrupt.Interrupted("interrupted", number)
      window.flush(step, end_of_epoch=True)
      if judged(epoch):
        judge(epoch)
      if epoch == experiment.epochs or epoch % experiment.checkpoint_every == 0:
        book.save(step, state)
    book.wait()
  except HostStopped as stopped:
    book.keep(step, state)
    raise HostStopped(f"{stopped}\n{_kept(step)}") from stopped
  except interrupt.Interrupted as stopped:
    book.keep(step, state)
    raise interrupt.Interrupted(f"interrupted. {_kept(step)}", stopped.number) from None
  finally:
    stack.close()
    if host:
      host.close()
    bar.close()
    book.close()
  return state


def _kept(step):
  if not step:
    return "Nothing was trained yet"
  return f"The state after step {step} is kept; rerun the command to resume from there"


class Stream:
  """Keys and order of faces of one run; both follow from its seed."""

  def __init__(self, seed: int, local_rows: slice = slice(None)):
    """`part`: the rows of each batch that this process loads."""
    self._seed, self._local_rows, self.key = seed, local_rows, jax.random.key(seed)

  def first(self, experiment: Experiment) -> tuple:
    """(key, frozen, batch) for the task's `init`: the same for every start of one run."""
    train = experiment.data.train
    batch = next(batches(train, epoch_order(len(train), self._seed, 0), experiment.batch_size, pad=False))
    return jax.random.fold_in(self.key, 2**31 - 1), experiment.frozen, batch

  def epoch(self, examples: Examples, batch_size: int, epoch: int, done: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """The batches of an epoch, without the first `done` of them."""
    order = epoch_order(len(examples), self._seed, epoch)
    return batches(examples, order[done * batch_size :], batch_size, pad=False, local_rows=self._local_rows)


def init_arguments(experiment: Experiment) -> tuple:
  """(key, frozen, batch) for the task's `init`: the same for every start of one run."""
  return Stream(experiment.seed).first(experiment)


def _start(experiment, programs, stream, book):
  """The newest whole checkpoint's state, or a fresh one; on the devices."""
  arguments = stream.first(experiment)
  restored = book.restore(jax.eval_shape(programs.init, *arguments))
  return programs.init(*arguments) if restored is None else jax.device_put(restored, programs.state)


def evaluate(
  programs: Programs, state: State, frozen, faces: FaceSet, batch_size: int, key, host: HostSide | None = None
) -> dict[str, float]:
  """Means of the task's evaluation terms over all faces, `n`, and perplexity and share of the codes used.

  The views' noise is drawn from `key` and the batch's number, not from the step: the same at every evaluation.
  """
  parts, sizes, made = [], [], []
  for number, rows in enumerate(
    batches(faces, np.arange(len(faces)), batch_size, pad=True, local_rows=programs.local_rows)
  ):
    sizes.append(min(batch_size, len(faces) - number * batch_size))
    batch = _put(rows, programs.data_sharded)
    parts.append(programs.evaluate(state, frozen, batch, _folded(key, number)))
    made.append(parts[-1].pop(TO_HOST, {}))
  parts = jax.device_get(parts)
  result = {"n": len(faces)}
  for name in parts[0]:
    values = np.stack([part[name] for part in parts]).astype(np.float64)
    result |= (
      code_use(values.sum(axis=0)) if is_counts(name) else {name: plain(np.average(values, axis=0, weights=sizes))}
    )
  if host:
    made = {name: np.concatenate([np.asarray(part[name]) for part in made])[: len(faces)] for name in made[0]}
    result |= host.evaluate(faces, made)
  return result


def _folded(key, number):
  fold = jax.random.fold_in
  return jax.vmap(fold, (0, None))(key, number) if key.ndim else fold(key, number)


class _Window:
  """The terms of the steps since the last log row, still on the device, so that no step waits for the host."""

  def __init__(self, book, bar, epoch, batch_size, clock):
    self._book, self._bar, self._epoch, self._batch_size, self._clock = book, bar, epoch, batch_size, clock
    self._terms, self._since = [], time.perf_counter()
    self._counts = {}

  def __len__(self):
    return len(self._terms)

  def add(self, terms):
    self._terms.append(terms)

  def flush(self, step, *, end_of_epoch=False):
    """Writes the row of the steps up to `step`; the epoch's last one also tells how the codes were used."""
    rows = jax.device_get(self._terms)
    values = {}
    for name in rows[0] if rows else ():
      found = np.stack([row[name] for row in rows]).astype(np.float64)
      if is_counts(name):
        self._counts[name] = self._counts.get(name, 0) + found.sum(axis=0)
      else:
        values[name] = found
    if not rows:
      return
    speed = len(rows) * self._batch_size / (time.perf_counter() - self._since)
    where = {"epoch": self._epoch, "images_per_second": round(speed, 1), "seconds": self._clock()}
    loss = self._book.train(step, values, self._counts if end_of_epoch else {}, **where)
    self._bar.set_postfix(epoch=self._epoch, loss=loss, images_per_s=f"{speed:.0f}", refresh=False)
    self._bar.update(len(rows))
    self._terms, self._since = [], time.perf_counter()


def _put(rows, where):
  """A batch on the devices; this process has its own rows of it."""
  return jax.make_array_from_process_local_data(where, rows)


def _ahead(host_batches, where):
  """The batches on the device, `_AHEAD` of them sent before they are needed."""
  waiting = []
  for batch in host_batches:
    waiting.append(_put(batch, where))
    if len(waiting) > _AHEAD:
      yield waiting.pop(0)
  yield from waiting
