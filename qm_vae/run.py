"""One run in one folder: claims the folder, trains missing services, trains, exports."""

import contextlib
import fcntl
import hashlib
import json
import pathlib

import jax
import ml_collections

from qm_vae import build, network_file, rules, train, writer
from qm_vae.checkpoint import Checkpoints
from qm_vae.state import Experiment, State
from qm_vae.tasks import classifier

_FREE_TO_CHANGE = ("cache_dir", "log_every", "tensorboard", "keep_checkpoints")
"""Keys that a resumed run may set anew, since the result does not depend on them."""


def run(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> Experiment:
  """Trains what `config` describes in `workdir`, or goes on where a killed run of the same config stopped.

  Writes config.json, metrics.jsonl and checkpoints/; a classifier also network/, which is what
  `config.service.checkpoint` takes.

  Raises:
    ValueError: for a config that `rules.check` refuses, or a workdir that holds another run.
    train.NotFinite: when a loss term is NaN or infinite.
  """
  workdir = pathlib.Path(workdir)
  rules.check(config)
  _claim(config, workdir)
  experiment = build.experiment(config)
  checkpoints = Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
  try:
    state = train.fit(experiment, workdir, checkpoints, tensorboard=config.tensorboard)
  finally:
    checkpoints.close()
  if config.task == "classifier":
    _export(state, experiment, workdir)
  return experiment


def restore(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> tuple[Experiment, State]:
  """The experiment of a trained run and the state of its newest whole checkpoint.

  Raises:
    ValueError: when the folder holds none.
  """
  experiment = build.experiment(config)
  folder = pathlib.Path(workdir) / "checkpoints"
  checkpoints = Checkpoints(folder, config.keep_checkpoints)
  if not checkpoints.steps():
    raise ValueError(f"no checkpoint under {folder}; train first with python -m qm_vae.main --workdir={workdir}")
  programs = train.compile_task(experiment.task, experiment.batch_size)
  state = train.start(experiment, programs, experiment.frozen, checkpoints)
  checkpoints.close()
  return experiment, state


def load_config(workdir: str | pathlib.Path) -> ml_collections.ConfigDict:
  """The config of the run in `workdir`.

  Raises:
    ValueError: when there is none, or it is not readable.
  """
  path = pathlib.Path(workdir) / "config.json"
  try:
    return ml_collections.ConfigDict(json.loads(path.read_text(encoding="utf-8")))
  except FileNotFoundError:
    raise ValueError(f"{path} does not exist; {workdir} is no folder of a run") from None
  except json.JSONDecodeError as error:
    raise ValueError(f"{path} is not valid JSON ({error})") from None


def with_services(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """The config with every checkpoint of service and judges filled in; those that have none are trained now and cached.

  Raises:
    ValueError: when one is missing and `service_data` names no dataset to train it on.
  """
  resolved = config.copy_and_resolve_references()
  if config.task != "qm_vae":
    return resolved
  for name, network in {"service": resolved.service, **{f"judges.{k}": v for k, v in resolved.judges.items()}}.items():
    if network.checkpoint:
      continue
    if not config.service_data.name:
      raise ValueError(
        f"config.{name}.checkpoint is empty and data {config.data.name!r} trains no expression recogniser. Give a "
        f"network: --config.{name}.checkpoint=FOLDER (python -m qm_vae.convert keras-expression makes one from the "
        "public mini-Xception, --config=configs/expression.py trains one), or name data to train it on: "
        "--config.service_data.name=fer2013 --config.service_data.root=PATH"
      )
    network.checkpoint = str(_trained(build.service_config(config, network), name))
  return resolved


def _trained(config, name):
  identifying = {key: value for key, value in sorted(rules.flatten(config).items()) if key not in _FREE_TO_CHANGE}
  digest = hashlib.sha256(json.dumps(identifying, sort_keys=True).encode()).hexdigest()[:16]
  folder = build.cache_dir(config) / "services" / digest
  folder.mkdir(parents=True, exist_ok=True)
  with _locked(folder / "lock"):
    if not (folder / "network" / network_file.META).exists():
      print(f"Training {name} ({config.service.architecture}) on {config.data.name} first; it is kept in {folder}.")
      run(config, folder)
  return folder / "network"


@contextlib.contextmanager
def _locked(path):
  """Two runs that need the same service wait for one training of it."""
  with path.open("w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _claim(config, workdir):
  workdir.mkdir(parents=True, exist_ok=True)
  path = workdir / "config.json"
  text = json.dumps(config.to_dict(), indent=2)
  if path.exists() and any((workdir / "checkpoints").glob("[0-9]*")):  # a run that never got so far may be replaced
    old, new = rules.flatten(load_config(workdir)), rules.flatten(json.loads(text))
    changed = [
      f"{key}: {old.get(key)!r} there, {new.get(key)!r} now"
      for key in sorted(old.keys() | new.keys())
      if old.get(key) != new.get(key) and key not in _FREE_TO_CHANGE
    ]
    if changed:
      raise ValueError(
        f"{workdir} holds a run of another config; choose another --workdir or remove it. Different:\n  "
        + "\n  ".join(changed)
      )
  writer.write_text(path, text + "\n")


def _export(state, experiment, workdir):
  rows = [row for row in writer.read_rows(workdir) if row["split"] == "test"]
  meta = experiment.parts.meta | {"test_accuracy": rows[-1]["correct"], "test_n": rows[-1]["n"]}
  network_file.save(workdir / "network", meta, classifier.export(jax.device_get(state)))
