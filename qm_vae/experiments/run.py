"""One run in one folder: claims the folder, trains missing services, trains, exports."""

import contextlib
import fcntl
import hashlib
import json
import pathlib
import re

import jax
import ml_collections

from qm_vae import embedders
from qm_vae.experiments import black_box as build_black_box
from qm_vae.experiments import build
from qm_vae.experiments import embedder as build_privacy
from qm_vae.experiments import schema as rules
from qm_vae.io import networks as network_file
from qm_vae.io import records as writer
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import distributed as devices
from qm_vae.training import loop as train
from qm_vae.training.state import Experiment, State

_FREE_TO_CHANGE = re.compile(
  r"(cache_dir|log_every|tensorboard|samples|keep_checkpoints|baselines)$|(privacy|embedder|release)\.|"
  r"quality\.[^.]+\.(batch_size|concurrency|retries|backoff|budget|http\..*)$"
)
"""Keys that a resumed run may set anew: what is trained does not depend on them, but for a budget that was spent.
With a constant learning rate there may be more `epochs` too."""

_SHAPING = {"classifier": "service.", "attributes": "service.", "embedder": "embedder."}
"""Keys that shape the network which a run of that task trains, besides those of its data."""


def run(
  config: ml_collections.ConfigDict, workdir: str | pathlib.Path, group: devices.Group | None = None
) -> Experiment:
  """Trains what `config` describes in `workdir`, or goes on where a killed run of the same config stopped.

  Writes config.json, provenance.json, metrics.jsonl and checkpoints/; a classifier also network/, which is what
  `config.service.checkpoint` takes.

  Args:
    config: see configs/default.py; services without a checkpoint are refused here, `resolve` trains them.
    workdir: folder of the run.
    group: the processes that train, every one of which calls this; None: this one. The first alone writes.

  Raises:
    ValueError: for a config that `rules.check` refuses, a workdir that holds another run, data or networks that
      changed since the run began, or that are not the same for all processes.
    logbook.NotFinite: when a loss term is NaN or infinite.
  """
  workdir = pathlib.Path(workdir)
  rules.check(config)
  group = group or devices.alone()
  with contextlib.ExitStack() as stack:

    def begin():
      stack.enter_context(locked(workdir))
      claim(config, workdir)

    group.agreed(begin)
    experiment = group.in_turn(lambda: build.experiment(config))
    _check_alike(group, config, experiment, workdir)
    checkpoints = stack.enter_context(_checkpoints(config, workdir)) if group.leads else None
    state = train.fit(
      experiment, workdir, checkpoints, tensorboard=config.tensorboard, samples=config.samples, group=group
    )
    if isinstance(experiment.parts, build.NetworkParts) and group.leads:
      _export(state, experiment, workdir)
  return experiment


def _checkpoints(config, workdir):
  return contextlib.closing(Checkpoints(workdir / "checkpoints", config.keep_checkpoints))


def _check_alike(group, config, experiment, workdir):
  """Refuses data and networks that changed, or that another process sees otherwise."""
  told = group.agreed(lambda: check_provenance(config, experiment, workdir))
  if not group.leads and told != build.provenance(config, experiment):
    raise ValueError(
      f"process {group.index} finds other faces or networks than process 0; keep data, networks and config.cache_dir "
      "where all hosts see the same files"
    )


def restore(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> tuple[Experiment, State]:
  """The experiment of a finished run and its last state, on the host.

  Raises:
    ValueError: when the run has no whole checkpoint, is not finished, or its data or networks changed.
  """
  workdir = pathlib.Path(workdir)
  again = "run python -m qm_vae.main with its config and --workdir to go on"
  experiment = build.experiment(config)
  check_provenance(config, experiment, workdir)
  with _checkpoints(config, workdir) as checkpoints:
    state = checkpoints.restore(jax.eval_shape(experiment.task.init, *train.init_arguments(experiment)))
  if state is None:
    raise ValueError(f"no whole checkpoint under {workdir / 'checkpoints'}; {again}")
  last = experiment.epochs * (len(experiment.data.train) // experiment.batch_size)
  if int(state.step) != last:
    raise ValueError(
      f"{workdir} is not finished: its newest checkpoint is of step {int(state.step)} of {last}; {again}"
    )
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


def resolve(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """The config with nothing left to the machine: size and preset fixed, and the path of every network filled in.

  Services, and the attackers' face recogniser, that have none are trained now and cached.

  Raises:
    ValueError: when one is missing and there is no data to train it on.
  """
  resolved = config.copy_and_resolve_references()
  resolved.image_size = build.image_size(config)
  resolved.model.preset = build.preset(config)
  absolute = lambda path: path and str(pathlib.Path(path).expanduser().absolute())
  resolved.amt_gan.embedders = tuple(absolute(path) for path in resolved.amt_gan.embedders)
  for name in ("ugatit", "amt_gan"):
    resolved.deid[name].checkpoint = absolute(resolved.deid[name].checkpoint)
  resolved.black_box.start = absolute(resolved.black_box.start)
  for quality in resolved.quality.values():
    quality.checkpoint = absolute(quality.checkpoint)
    if quality.client == "onnx":
      quality.source = absolute(quality.source)
  resolved.deid.amt_gan.reference = absolute(resolved.deid.amt_gan.reference)
  if config.task not in ("qm_vae", "black_box"):
    return resolved
  for name, network in _networks(resolved).items():
    if network.checkpoint:
      network.checkpoint = str(pathlib.Path(network.checkpoint).expanduser().absolute())
      continue
    if not config.service_data.name and config.data.name not in build.LABELLED:
      raise ValueError(
        f"config.{name}.checkpoint is empty and data {config.data.name!r} trains no expression recogniser. Give a "
        f"network: --config.{name}.checkpoint=FOLDER (python -m qm_vae.convert keras-expression makes one from the "
        "public mini-Xception, --config=configs/expression.py trains one)"
      )
    network.checkpoint = str(_trained(build.service_config(resolved, network), name, network.architecture))
  resolved.recognisers = tuple(str(pathlib.Path(path).expanduser().absolute()) for path in resolved.recognisers)
  for name in build_black_box.offered(resolved):
    resolved.quality[name].checkpoint = resolved.service.checkpoint
  resolved.privacy.embedders = tuple(_recogniser(resolved, path) for path in resolved.privacy.embedders)
  embedders.open_all(
    path for path in resolved.privacy.embedders if path
  )  # what is none is refused before hours of work
  return resolved


def _networks(config):
  """The expression recognisers that the run needs, by their key."""
  if config.task == "qm_vae":
    return build.networks_of(config)
  judges = {f"judges.{name}": judge for name, judge in config.judges.items()}
  service = {"service": config.service} if build_black_box.offered(config) else {}
  return service | (judges if build_black_box.judged(config) else {})


def _recogniser(config, path):
  if path or not config.privacy.attackers:
    return path and str(pathlib.Path(path).expanduser().absolute())
  if not config.service_data.name and config.data.split != "identity":
    raise ValueError(
      f"config.privacy.embedders has an empty path, so that a face recogniser would be trained on data "
      f"{config.data.name!r}, which are split by {config.data.split!r}: it would know people who are attacked. Give a "
      "recogniser: --config.privacy.embedders=\"('FOLDER',)\" (docs/embedders.md)"
    )
  derived = build_privacy.config_of_embedder(config)
  return str(_trained(derived, "a face recogniser", derived.embedder.architecture))


def network_folder(config: ml_collections.ConfigDict) -> pathlib.Path:
  """Where the network that such a config trains is cached; it depends on what shapes the network, on no more."""
  prefixes = ("data.", _SHAPING[config.task])
  shaping = {key: value for key, value in rules.flatten(config).items() if key.startswith(prefixes)}
  shaping = {key: value for key, value in shaping.items() if key != "service.checkpoint"}
  shaping |= {"image_size": config.image_size, "source": build.dataset(config.data).fingerprint}
  digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]
  return (
    build.cache_dir(config) / {"classifier": "services", "embedder": "embedders"}[config.task] / digest
  ).absolute()


def _trained(config, name, architecture):
  folder = network_folder(config)
  with locked(folder / "waiting", wait=True):
    if not (folder / "network" / network_file.META).exists():
      print(f"Training {name} ({architecture}) on {config.data.name} first; it is kept in {folder}.")
      run(_as_begun(config, folder), folder)
  return folder / "network"


def _as_begun(config, folder):
  """The config by which an earlier command began this network; the same folder means the same in all that shapes it."""
  return load_config(folder) if (folder / "config.json").exists() else config


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, wait: bool = False):
  """Keeps other processes out of a run's folder, by a lock on FOLDER/lock that ends with the process.

  Raises:
    ValueError: when another process is in there and `wait` is False.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / "lock").open("w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
      raise ValueError(f"another process works in {folder}; wait for it, or choose another --workdir") from None
    yield


def claim(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> None:
  """Writes WORKDIR/config.json.

  Raises:
    ValueError: where the folder holds a run of another config.
  """
  path = workdir / "config.json"
  text = json.dumps(config.to_dict(), indent=2)
  if path.exists() and any((workdir / "checkpoints").glob("[0-9]*")):  # a run that never got so far may be replaced
    old, new = rules.flatten(load_config(workdir)), rules.flatten(json.loads(text))
    changed = [
      f"{key}: {old.get(key)!r} there, {new.get(key)!r} now"
      for key in sorted(old.keys() | new.keys())
      if old.get(key) != new.get(key) and not _free_to_change(key, config) and not _longer(key, old, new)
    ]
    if changed:
      raise ValueError(
        f"{workdir} holds a run of another config; choose another --workdir or remove it. Different:\n  "
        + "\n  ".join(changed)
      )
  else:
    (workdir / "provenance.json").unlink(missing_ok=True)
  writer.write_text(path, text + "\n")


def _free_to_change(key, config):
  # Which networks stand behind the checkpoints is told by provenance.json, wherever their folders are.
  return key.endswith(".checkpoint") or (
    _FREE_TO_CHANGE.match(key) and not key.startswith(_SHAPING.get(config.task, ":"))
  )


def _longer(key, old, new):
  """Whether the change gives more epochs to a run whose learning rate does not hang on how many there are."""
  return key == "epochs" and new["schedule"] == "constant" and old["epochs"] < new["epochs"]


def check_provenance(config: ml_collections.ConfigDict, experiment: Experiment, workdir: pathlib.Path) -> dict:
  """Writes WORKDIR/provenance.json, or compares with what is there; returns its content.

  Raises:
    ValueError: where the data or networks changed since the run began.
  """
  path = workdir / "provenance.json"
  now = build.provenance(config, experiment)
  if not path.exists():
    writer.write_text(path, json.dumps(now, indent=1) + "\n")
    return now
  then = json.loads(path.read_text(encoding="utf-8"))
  changed = [key for key in ("train", "test") if then[key] != now[key]]
  networks = then["networks"].keys() | now["networks"].keys()
  changed += sorted(name for name in networks if then["networks"].get(name) != now["networks"].get(name))
  if changed:
    raise ValueError(
      f"{', '.join(changed)} changed since the run in {workdir} began (provenance.json); bring the data and networks "
      "back, or start in another --workdir"
    )
  return now


def _export(state, experiment, workdir):
  rows = [row for row in writer.read_rows(workdir) if row["split"] == "test"]
  told = experiment.parts.result(rows[-1]) | {"test_n": rows[-1]["n"]}
  told["test_left_out"] = f"{experiment.data.num_duplicates} test images that are also training images"
  meta = experiment.parts.meta | told
  network_file.save(workdir / "network", meta, experiment.parts.export(jax.device_get(state)))
