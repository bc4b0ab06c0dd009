"""A config with nothing left open: sizes fixed, and every network trained or found."""

import hashlib
import json
import pathlib

import ml_collections

from qm_vae import embedders, landmarkers
from qm_vae.data import synthetic
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.experiments import black_box_services, config_file, datasets, embedder, run, schema, settings
from qm_vae.experiments.tasks import TASKS
from qm_vae.io import networks, run_folder
from qm_vae.options import PATH, declared

_SHAPING = {"classifier": "service.", "attributes": "service.", "embedder": "embedder."}
"""Keys that shape the network which a run of that task trains, besides those of its data."""

RECOGNISER = "a face recogniser"
"""Name of the attackers' network among those that are trained for a run."""


SHIPPED = pathlib.Path(synthetic.__file__).parent / "networks"
"""Networks of the drawn faces that come with the package, ordered as the cache is; docs/networks/make.py makes them."""


def resolve(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """The config with nothing left to the machine: size and preset fixed, and the path of every network filled in.

  Services, and the attackers' face recogniser, that have none are those that come with the package, where it has them
  for these very data and keys; others are trained now and cached.

  Raises:
    ValueError: when one is missing and there is no data to train it on.
  """
  settings.writers_of(config).check()  # before hours of training
  resolved = config.copy_and_resolve_references()
  resolved.image_size = settings.image_size(config)
  resolved.model.preset = settings.preset(config)
  absolute = lambda path: path and str(pathlib.Path(path).expanduser().absolute())
  resolved.amt_gan.embedders = tuple(absolute(path) for path in resolved.amt_gan.embedders)
  for name, options in resolved.deid.items():
    for option, one in declared(DEIDENTIFIERS[name]).items():
      if one.rule is PATH:
        options[option] = absolute(options[option])
  resolved.landmarks = absolute(resolved.landmarks)
  if resolved.face_detector.endswith(".onnx"):
    resolved.face_detector = absolute(resolved.face_detector)
  resolved.black_box.start = absolute(resolved.black_box.start)
  for quality in resolved.quality.values():
    quality.checkpoint = absolute(quality.checkpoint)
    if quality.client == "onnx":
      quality.source = absolute(quality.source)
  if config.task not in ("qm_vae", "black_box"):
    return resolved
  needed = _networks(resolved)
  for name, network in needed.items():
    if network.checkpoint:
      network.checkpoint = absolute(network.checkpoint)
      meta = networks.read_meta(network.checkpoint)
      if not name.startswith("judges.") or meta.get("kind") != "attributes":  # of smiles, which the task checks
        networks.check_kind(network.checkpoint, meta, "expression")
    elif not config.service_data.name and not datasets.labelled(config.data.name):
      raise InputError(
        f"config.{name}.checkpoint is empty and data {config.data.name!r} trains no expression recogniser. Give a "
        f"network: --config.{name}.checkpoint=FOLDER (python -m qm_vae.convert keras-expression makes one from the "
        "public mini-Xception, --config=configs/expression.py trains one)"
      )
  resolved.recognisers = tuple(map(absolute, resolved.recognisers))
  if resolved.landmarks:
    landmarkers.load(resolved.landmarks)  # the report asks for it, after hours of training
  wanted = trainings(resolved)
  if not all(map(_shipped, wanted.values())):
    _check_before_training(schema.view(resolved))
  for name, network in needed.items():
    if not network.checkpoint:
      network.checkpoint = str(_trained(wanted[name], name, network.architecture))
  for name in black_box_services.offered(schema.view(resolved)):
    resolved.quality[name].checkpoint = resolved.service.checkpoint
  recogniser = wanted.get(RECOGNISER)
  resolved.privacy.embedders = tuple(_recogniser(resolved, path, recogniser) for path in resolved.privacy.embedders)
  embedders.open_all(
    path for path in resolved.privacy.embedders if path
  )  # what is none is refused before hours of work
  return resolved


def _check_before_training(config):
  """Refuses what the run itself would refuse, before networks that it lacks are trained for hours."""
  embedders.open_all(path and pathlib.Path(path).expanduser() for path in config.privacy.embedders if path)
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  if len(data.train) < config.batch_size:
    raise InputError(
      f"config.batch_size = {config.batch_size}, but there are {len(data.train)} training faces; lower it, or use more"
    )
  check = TASKS[config.task].check
  if check:
    check(config, data)


def _networks(config):
  """The expression recognisers that the run needs, by their key."""
  if config.task == "qm_vae":
    return settings.networks_of(config)
  judges = {f"judges.{name}": judge for name, judge in config.judges.items()}
  service = {"service": config.service} if black_box_services.offered(schema.view(config)) else {}
  return service | (judges if black_box_services.judged(schema.view(config)) else {})


def trainings(config: ml_collections.ConfigDict) -> dict[str, ml_collections.ConfigDict]:
  """The configs of the runs that train what `config` lacks: expression networks by their key, and the recogniser.

  Raises:
    InputError: where a recogniser would be trained on people who are attacked.
  """
  found = {
    name: settings.service_config(config, network)
    for name, network in _networks(config).items()
    if not network.checkpoint
  }
  if config.privacy.attackers and not all(config.privacy.embedders):
    found[RECOGNISER] = _config_of_recogniser(config)
  return found


def _config_of_recogniser(config):
  if not config.service_data.name and config.data.split != "identity":
    raise InputError(
      f"config.privacy.embedders has an empty path, so that a face recogniser would be trained on data "
      f"{config.data.name!r}, which are split by {config.data.split!r}: it would know people who are attacked. Give a "
      "recogniser: --config.privacy.embedders=\"('FOLDER',)\" (docs/embedders.md)"
    )
  return embedder.config_of_embedder(config)


def _recogniser(config, path, derived):
  if path or not config.privacy.attackers:
    return path and str(pathlib.Path(path).expanduser().absolute())
  return str(_trained(derived, RECOGNISER, derived.embedder.architecture))


def network_folder(config: ml_collections.ConfigDict) -> pathlib.Path:
  """Where the network that such a config trains is cached; it depends on what shapes the network, on no more."""
  row = TASKS[config.task]
  shaping = {key: value for key, value in schema.flatten(config).items() if key.startswith(("data.", row.shaped_by))}
  unused = tuple(f"data.options.{name}." for name in config.data.options if name != config.data.name)
  shaping = {key: value for key, value in shaping.items() if key != "service.checkpoint" and not key.startswith(unused)}
  shaping |= {"image_size": config.image_size, "source": datasets.dataset(schema.view(config).data).fingerprint}
  digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]
  return (settings.cache_dir(config) / row.cached_in / digest).absolute()


def _shipped(config):
  """The folder of the network in the package that such a config would train; None where it has none."""
  own = network_folder(config)
  found = SHIPPED / own.parent.name / own.name
  return found if (found / networks.META).exists() else None


def _trained(config, name, architecture):
  if shipped := _shipped(config):
    return shipped
  folder = network_folder(config)
  with run_folder.locked(folder / "waiting", wait=True):
    if not (folder / "network" / networks.META).exists():
      print(f"Training {name} ({architecture}) on {config.data.name} first; it is kept in {folder}.")
      run.run(_as_begun(config, folder), folder)
  return folder / "network"


def _as_begun(config, folder):
  """The config by which an earlier command began this network; the same folder means the same in all that shapes it."""
  return config_file.load(folder) if (folder / "config.json").exists() else config
