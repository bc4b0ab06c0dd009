"""The one training loop."""

import pathlib
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from qm_vae import devices, metrics, progress
from qm_vae.checkpoint import Checkpoints
from qm_vae.data.batches import batches, epoch_order
from qm_vae.losses import masked_mean
from qm_vae.state import TO_HOST, Experiment, HostSide, HostStopped, State, Task
from qm_vae.types import FaceSet
from qm_vae.writer import Writer, read_rows, rewind

_AHEAD = 2  # batches on their way to the device while a step runs


_REMEDY = (
  "Training stopped; the newest checkpoint holds earlier, finite values. Lower config.learning_rate, or look at the "
  "data of that step"
)


class NotFinite(FloatingPointError):
  """A loss term that is NaN or infinite; the message names the step and the term."""


class Programs(NamedTuple):
  """A task's functions, compiled for the devices at hand."""

  init: Any  # (key, frozen, batch) -> State
  step: Any  # (state, frozen, batch, weights, key) -> (State, {term: float32 scalar}); the state given is used up
  evaluate: Any  # (state, frozen, batch, key) -> {term: float32 scalar, or counts [K]}; TO_HOST passes as it is
  whole: jax.sharding.Sharding  # where state, frozen networks and weights live: everywhere
  shared: jax.sharding.Sharding  # where a batch lives: one part on every device
  part: slice  # the rows of a batch that this process loads

  def put(self, rows):
    """A batch on the devices, of which this process has the rows `part`."""
    return jax.make_array_from_process_local_data(self.shared, rows)


def fit(
  experiment: Experiment,
  workdir: str | pathlib.Path,
  checkpoints: Checkpoints | None,
  *,
  tensorboard: bool = False,
  samples: bool = False,
  group: devices.Group | None = None,
) -> State:
  """Trains to the last epoch, going on from the newest whole checkpoint.

  Every random number follows from the seed and the step, and the order of faces from the seed and the epoch; a run that
  was killed and goes on therefore ends in the same state, bit for bit on a CPU, as one that was not. When a task's host
  side stops, the state is kept as it is, in the middle of an epoch too.

  Args:
    experiment: see build.py.
    workdir: metrics.jsonl is written here.
    checkpoints: where the state is kept; None in a process that does not lead.
    tensorboard: also write scalars and image grids to WORKDIR/tensorboard.
    samples: also write the image grids to WORKDIR/samples/STEP.png.
    group: the processes that train, every one of which calls this; None: this one, on all its devices. Only the one
      that leads reads and writes `workdir` and `checkpoints`.

  Returns:
    The state after the last step, on the device.

  Raises:
    NotFinite: when a loss term is NaN or infinite; no checkpoint is written from then on.
    HostStopped: when the task's host side cannot go on.
    ValueError: when the training faces do not fill one batch, or the task or the batch cannot be shared by processes.
  """
  group = group or devices.alone()
  if experiment.task.host and group.size > 1:
    raise ValueError(
      f"the task asks services from its host, and {group.size} processes would each ask; let one process train it, on "
      "any number of devices"
    )
  programs = compile_task(experiment.task, experiment.batch_size, group)
  frozen, weights = jax.device_put((experiment.frozen, experiment.weights), programs.whole)
  key = jax.random.key(experiment.seed)
  state = _start(experiment, programs, checkpoints, group)
  step = int(state.step)
  if group.leads:
    rewind(workdir, step)
  earlier = [row["seconds"] for row in read_rows(workdir) if "seconds" in row]
  began = time.perf_counter() - (earlier[-1] if earlier else 0.0)

  def clock():
    return round(time.perf_counter() - began, 2)

  per_epoch = len(experiment.data.train) // experiment.batch_size
  first_epoch, done = step // per_epoch + 1, step % per_epoch
  host = experiment.task.host and experiment.task.host(pathlib.Path(workdir))
  writer = Writer(workdir, tensorboard=tensorboard, samples=samples, silent=not group.leads)
  bar = progress.bar(experiment.epochs * per_epoch, "train", "step", initial=step, shown=group.leads)
  try:
    examples = host.begin(experiment.data.train, state) if host else experiment.data.train
    for epoch in range(first_epoch, experiment.epochs + 1):
      window = _Window(writer, bar, epoch, experiment.batch_size, clock)
      order = epoch_order(len(examples), experiment.seed, epoch)
      remaining, done = order[done * experiment.batch_size :], 0
      parts = batches(examples, remaining, experiment.batch_size, pad=False, part=programs.part)
      for batch in _ahead(parts, programs.put):
        if host:
          batch |= programs.put(host.before(step))
        state, terms = programs.step(state, frozen, batch, weights, key)
        if host:
          host.after(step, terms.pop(TO_HOST))
        step += 1
        window.add(terms)
        if len(window) == experiment.log_every and step % per_epoch:
          window.flush(step)
      window.flush(step, end_of_epoch=True)
      last = epoch == experiment.epochs
      if last or epoch % experiment.evaluate_every == 0:
        result = evaluate(programs, state, frozen, experiment.data.test, experiment.batch_size, key, host)
        _check_terms(result, step)
        writer.scalars(step, "test", result, epoch=epoch)
        if writer.wants_images and experiment.task.pictures:
          batch = next(batches(experiment.data.test, np.arange(len(experiment.data.test)), 8, pad=True))
          pictures = jax.jit(experiment.task.pictures, out_shardings=programs.whole)(state, frozen, batch, key)
          writer.image(step, "original, views, output", np.asarray(pictures))
      if last or epoch % experiment.checkpoint_every == 0:
        _check_finite(state, step)
        if group.leads:
          checkpoints.save(step, state)
    if group.leads:
      checkpoints.wait()
  except HostStopped as stopped:
    if step and step not in checkpoints.steps():
      checkpoints.save(step, state)
      checkpoints.wait()
    kept = f"The state after step {step} is kept; the same command goes on from there"
    raise HostStopped(f"{stopped}\n{kept}") from stopped
  finally:
    if host:
      host.close()
    bar.close()
    writer.close()
  return state


def compile_task(task: Task, batch_size: int, group: devices.Group | None = None) -> Programs:
  """The task's functions under jit with shardings: the batch split over as many devices of the group as divide it."""
  group = group or devices.alone()
  mesh = group.mesh(batch_size)
  whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  shared = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))

  def step(state, frozen, batch, weights, key):
    state, terms = task.step(state, frozen, batch, weights, jax.random.fold_in(key, state.step))
    return state, _reduce(terms, batch["_mask"])

  def evaluate(state, frozen, batch, key):
    return _reduce(task.evaluate(state, frozen, batch, key), batch["_mask"])

  return Programs(
    # Initialisation runs once: compiling it without optimisation takes a fifth of the time.
    jax.jit(task.init, out_shardings=whole, compiler_options={"xla_backend_optimization_level": 0}),
    jax.jit(step, out_shardings=(whole, whole), donate_argnums=0),
    jax.jit(evaluate, out_shardings=whole),
    whole,
    shared,
    group.part(batch_size),
  )


def init_arguments(experiment: Experiment) -> tuple:
  """(key, frozen, batch) for the task's `init`: the same for every start of one run."""
  train = experiment.data.train
  first = next(iter(batches(train, epoch_order(len(train), experiment.seed, 0), experiment.batch_size, pad=False)))
  return jax.random.fold_in(jax.random.key(experiment.seed), 2**31 - 1), experiment.frozen, first


def _start(experiment, programs, checkpoints, group):
  """The newest whole checkpoint's state, or a fresh one; on the devices."""
  arguments = init_arguments(experiment)
  template = jax.eval_shape(experiment.task.init, *arguments)
  found = []
  if not group.agreed(lambda: found.append(checkpoints.restore(template)) or found[0] is not None):
    return programs.init(*arguments)
  return jax.device_put(group.sent(found[0] if found else None, template), programs.whole)


def evaluate(
  programs: Programs, state: State, frozen, faces: FaceSet, batch_size: int, key, host: HostSide | None = None
) -> dict[str, float]:
  """Means of the task's evaluation terms over all faces, `n`, and perplexity and share of the codes used.

  The views' noise is drawn from `key` and the batch's number, not from the step: the same at every evaluation.
  """
  parts, sizes, made = [], [], []
  rows = batches(faces, np.arange(len(faces)), batch_size, pad=True, part=programs.part)
  for number, batch in enumerate(map(programs.put, rows)):
    sizes.append(min(batch_size, len(faces) - number * batch_size))
    parts.append(programs.evaluate(state, frozen, batch, jax.random.fold_in(key, number)))
    made.append(parts[-1].pop(TO_HOST, {}))
  parts = jax.device_get(parts)
  result = {"n": len(faces)}
  for name in parts[0]:
    values = np.stack([part[name] for part in parts]).astype(np.float64)
    result |= _code_use(values.sum(axis=0)) if _is_counts(name) else {name: float(np.average(values, weights=sizes))}
  if host:
    made = {name: np.concatenate([np.asarray(part[name]) for part in made])[: len(faces)] for name in made[0]}
    result |= host.evaluate(faces, made)
  return result


def _check_terms(terms, step):
  for name, value in terms.items():
    if not np.isfinite(value):
      raise NotFinite(f"step {step}: the evaluation's term {name!r} is {value}. {_REMEDY}")


def _check_finite(state, step):
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    if not bool(np.isfinite(np.asarray(leaf)).all()):
      raise NotFinite(f"step {step}: the update made {jax.tree_util.keystr(path)} not finite. {_REMEDY}")


def _is_counts(name):
  return name.endswith("_counts")


def _code_use(counts):
  return {"perplexity": float(metrics.perplexity(counts)), "codes_used": float(metrics.share_used(counts))}


def _reduce(terms, mask):
  whole = lambda name: _is_counts(name) or name == TO_HOST
  return {name: v if whole(name) else masked_mean(v, mask)[0] for name, v in terms.items()}


class _Window:
  """The terms of the steps since the last log row, still on the device, so that no step waits for the host."""

  def __init__(self, writer, bar, epoch, batch_size, clock):
    self._writer, self._bar, self._epoch, self._batch_size, self._clock = writer, bar, epoch, batch_size, clock
    self._terms, self._since = [], time.perf_counter()
    self._counts = {}

  def __len__(self):
    return len(self._terms)

  def add(self, terms):
    self._terms.append(terms)

  def flush(self, step, *, end_of_epoch=False):
    """Writes the row of the steps up to `step`; the epoch's last one also tells how the codes were used."""
    rows = jax.device_get(self._terms)
    first = step - len(rows) + 1
    means = {}
    for name in rows[0] if rows else ():
      values = np.stack([row[name] for row in rows]).astype(np.float64)
      if _is_counts(name):
        self._counts[name] = self._counts.get(name, 0) + values.sum(axis=0)
        continue
      if not np.isfinite(values).all():
        bad = int(np.argmin(np.isfinite(values)))
        raise NotFinite(f"step {first + bad}: the term {name!r} is {values[bad]}. {_REMEDY}")
      means[name] = float(values.mean())
    if end_of_epoch:
      for counts in self._counts.values():
        means |= _code_use(counts)
    if not rows:
      return
    speed = len(rows) * self._batch_size / (time.perf_counter() - self._since)
    self._writer.scalars(
      step, "train", means, epoch=self._epoch, images_per_second=round(speed, 1), seconds=self._clock()
    )
    self._bar.set_postfix(epoch=self._epoch, loss=f"{means['loss']:.4f}", images_per_s=f"{speed:.0f}", refresh=False)
    self._bar.update(len(rows))
    self._terms, self._since = [], time.perf_counter()


def _ahead(host_batches, put):
  """The batches on the device, `_AHEAD` of them sent before they are needed."""
  waiting = []
  for batch in host_batches:
    waiting.append(put(batch))
    if len(waiting) > _AHEAD:
      yield waiting.pop(0)
  yield from waiting
