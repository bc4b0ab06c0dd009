"""One run in one folder: claims the folder, trains missing services, trains, exports."""

import contextlib
import functools
import json
import pathlib
import re
from collections.abc import Callable

import jax
import ml_collections

from qm_vae.errors import InputError
from qm_vae.experiments import assemble, gallery, provenance, schema, settings
from qm_vae.experiments.parts import NetworkParts
from qm_vae.experiments.tasks import TASKS
from qm_vae.io import networks, records, run_folder
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import distributed, loop
from qm_vae.training.state import Experiment, State

_FREE_TO_CHANGE = re.compile(
  r"(cache_dir|log_every|samples|keep_checkpoints|baselines|landmarks|face_detector|condition\.soft)$|"
  r"(log|privacy|embedder|release)\.|quality\.[^.]+\.(batch_size|concurrency|retries|backoff|budget|http\..*)$"
)
"""Keys that a resumed run may set anew: what is trained does not depend on them, but for a budget that was spent.
With a constant learning rate there may be more `epochs` too."""


def run(
  config: ml_collections.ConfigDict,
  workdir: str | pathlib.Path,
  group: distributed.Group | None = None,
  after_test: Callable[[Experiment, int, State, dict], None] | None = None,
) -> Experiment:
  """Trains what `config` describes in `workdir`, or resumes an interrupted run of the same config.

  Writes config.json, provenance.json, metrics.jsonl and checkpoints/; a classifier also network/, which is what
  `config.service.checkpoint` takes.

  Args:
    config: see schema/config.py; services without a checkpoint are refused here, `resolve` trains them.
    workdir: folder of the run.
    group: the processes that train, every one of which calls this; None: this one. The first alone writes.
    after_test: called in the first after every evaluation, with the epoch, the state and what was found.

  Raises:
    ValueError: for a config that `schema.check` refuses, a workdir that holds another run, data or networks that
      changed since the run began, or that are not the same for all processes.
    logbook.NotFinite: when a loss term is NaN or infinite.
  """
  workdir = pathlib.Path(workdir)
  schema.check(config)
  group = group or distributed.single_process()
  with contextlib.ExitStack() as stack:

    def begin():
      stack.enter_context(run_folder.locked(workdir))
      claim(config, workdir)

    group.broadcast(begin)
    experiment = group.leader_first(lambda: assemble.experiment(config))
    _check_alike(group, config, experiment, workdir)
    if group.is_leader and gallery.is_needed(config):
      gallery.save(workdir, experiment.data.train)
    checkpoints = stack.enter_context(_checkpoints(config, workdir)) if group.is_leader else None
    state = loop.fit(
      experiment,
      workdir,
      checkpoints,
      choice=settings.writers_of(config),
      samples=config.samples,
      group=group,
      after_test=after_test and functools.partial(after_test, experiment),
    )
    if isinstance(experiment.parts, NetworkParts) and group.is_leader:
      _export(state, experiment, workdir)
  return experiment


def _checkpoints(config, workdir):
  return contextlib.closing(Checkpoints(workdir / "checkpoints", config.keep_checkpoints))


def _check_alike(group, config, experiment, workdir):
  """Refuses data and networks that changed, or that another process sees otherwise."""
  found = group.broadcast(lambda: provenance.check(schema.view(config), experiment, workdir))
  if not group.is_leader and found != provenance.digests(schema.view(config), experiment):
    raise InputError(
      f"process {group.index} finds other faces or networks than process 0; keep data, networks and config.cache_dir "
      "where all hosts see the same files"
    )


def restore(config: schema.Config | ml_collections.ConfigDict, workdir: str | pathlib.Path) -> tuple[Experiment, State]:
  """The experiment of a finished run and its last state, on the host.

  Raises:
    ValueError: when the run has no whole checkpoint, is not finished, or its data or networks changed.
  """
  workdir = pathlib.Path(workdir)
  again = "run python -m qm_vae.main with its config and --workdir to go on"
  experiment = assemble.experiment(config)
  provenance.check(schema.view(config), experiment, workdir)
  with _checkpoints(config, workdir) as checkpoints:
    state = checkpoints.restore(jax.eval_shape(experiment.task.init, *loop.init_arguments(experiment)))
  if state is None:
    raise InputError(f"no whole checkpoint under {workdir / 'checkpoints'}; {again}")
  last = experiment.epochs * (len(experiment.data.train) // experiment.batch_size)
  if int(state.step) != last:
    raise InputError(
      f"{workdir} is not finished: its newest checkpoint is of step {int(state.step)} of {last}; {again}"
    )
  return experiment, state


def claim(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
  """Writes WORKDIR/config.json.

  Raises:
    ValueError: where the folder holds a run of another config.
  """
  path = workdir / "config.json"
  text = json.dumps(config.to_dict(), indent=2)
  if path.exists() and any((workdir / "checkpoints").glob("[0-9]*")):  # a run that never got so far may be replaced
    old, new = (
      schema.flatten(schema.plain(schema.view(one))) for one in (run_folder.read_config(workdir), json.loads(text))
    )
    changed = [
      f"{key}: {old.get(key)!r} there, {new.get(key)!r} now"
      for key in sorted(old.keys() | new.keys())
      if old.get(key) != new.get(key) and not _free_to_change(key, config) and not _longer(key, old, new)
    ]
    if changed:
      raise InputError(
        f"{workdir} holds a run of another config; choose another --workdir or remove it. Different:\n  "
        + "\n  ".join(changed)
      )
  else:
    (workdir / "provenance.json").unlink(missing_ok=True)
  records.write_text(path, text + "\n")


def _free_to_change(key, config):
  shaped_by = TASKS[config.task].shaped_by
  # Which networks stand behind the checkpoints is in provenance.json, wherever their folders are.
  return key.endswith(".checkpoint") or (_FREE_TO_CHANGE.match(key) and not (shaped_by and key.startswith(shaped_by)))


def _longer(key, old, new):
  """Whether the change gives more epochs to a run whose learning rate does not hang on how many there are."""
  return key == "epochs" and new["schedule"] == "constant" and old["epochs"] < new["epochs"]


def _export(state, experiment, workdir):
  rows = [row for row in records.read_rows(workdir) if row["split"] == "test"]
  found = experiment.parts.result(rows[-1]) | {"test_n": rows[-1]["n"]}
  found["test_left_out"] = f"{experiment.data.num_duplicates} test images that are also training images"
  meta = experiment.parts.meta | found
  networks.save(workdir / "network", meta, experiment.parts.export(jax.device_get(state)))
