"""From a config to the parts of a run: the only reader of config keys below the programs."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
import optax

from qm_vae import embedders
from qm_vae.data import DATASETS, split
from qm_vae.data.augment import Augmentation
from qm_vae.data.unpaired import Unpaired
from qm_vae.deidentifiers import DEIDENTIFIERS, baselines
from qm_vae.experiments import schema as rules
from qm_vae.faces import cache as face_cache
from qm_vae.faces import cropping as faces
from qm_vae.io import networks as network_file
from qm_vae.registry import Registry
from qm_vae.services import expression
from qm_vae.training import schedule
from qm_vae.training.state import Experiment, Split
from qm_vae.training.tasks import classifier
from qm_vae.types import Deidentifier, FaceSet, Source, of_one_numbering

PUBLISHED_SPLITS = {
  "fer2013": ({"usage": "Training"}, {"usage": "PublicTest"}),
  "celeba_folder": ({"partition": "train"}, {"partition": "test"}),
  "celeb_a": ({"split": "train"}, {"split": "test"}),
}
"""Options that give a dataset's own training and test records."""

LABELLED = ("synthetic", "folder", "fer2013")
"""Datasets that may carry expression labels."""

_PLACE = {"folder": "root", "celeba_folder": "root", "fer2013": "path", "celeb_a": "data_dir", "lfw": "data_dir"}
"""What a dataset calls the place it is read from; `data_dir` may stay empty, for TFDS has a default."""


TASKS = Registry(
  "task",
  {
    "qm_vae": "qm_vae.experiments.qm_vae:qm_vae_run",
    "black_box": "qm_vae.experiments.black_box:black_box_run",
    "classifier": "qm_vae.experiments.build:classifier_run",
    "attributes": "qm_vae.experiments.attributes:attributes_run",
    "embedder": "qm_vae.experiments.embedder:embedder_run",
    "ugatit": "qm_vae.experiments.rivals:ugatit_run",
    "amt_gan": "qm_vae.experiments.rivals:amt_gan_run",
  },
)
"""Each is config -> Experiment."""


class NetworkParts(NamedTuple):
  """The pieces of a run that trains a network to be kept."""

  meta: dict  # what network.json says of it
  export: Callable  # State -> its variables
  result: Callable  # last test row of metrics.jsonl -> what network.json says of its test


def experiment(config: ml_collections.ConfigDict) -> Experiment:
  """The parts of the run that `config` describes; every service's checkpoint must be given (see run.resolve).

  Raises:
    ValueError: for keys that `rules.check` refuses, or data that do not fit the task.
  """
  rules.check(config)
  return TASKS[config.task](config)


def cache_dir(config: ml_collections.ConfigDict) -> pathlib.Path:
  """Where face crops and trained services are kept."""
  return pathlib.Path(config.cache_dir).expanduser() if config.cache_dir else user_cache()


def user_cache() -> pathlib.Path:
  """The user's own folder for what can be made again."""
  return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "qm_vae"


def image_size(config: ml_collections.ConfigDict) -> int:
  """Side of the face crop, pixels."""
  return config.image_size or (64 if jax.default_backend() == "cpu" else 128)


def preset(config: ml_collections.ConfigDict) -> str:
  """Name of the network preset."""
  if config.model.preset != "auto":
    return config.model.preset
  return "small" if jax.default_backend() == "cpu" else "paper"


def dataset(config: ml_collections.ConfigDict, **overrides) -> Source:
  """The source that a dataset config (`config.data`, `config.service_data`) names."""
  options = dict(config.options[config.name]) | overrides
  if config.name in _PLACE:
    if not config.root and _PLACE[config.name] != "data_dir":
      raise ValueError(f"dataset {config.name!r} needs its folder or file: --config.data.root=PATH")
    options[_PLACE[config.name]] = config.root
  return DATASETS[config.name](**options)


def load_faces(config: ml_collections.ConfigDict, size: int, cache: pathlib.Path) -> Split:
  """Cropped faces of a dataset config, split into training and test faces.

  Args:
    config: `config.data` or `config.service_data`.
    size: side of the crops, pixels.
    cache: folder of the face cache.

  Raises:
    ValueError: where a dataset has no published split, or too few faces are found.
  """
  settings = faces.Settings(image_size=size, **config.faces.to_dict())

  def crops(**overrides):
    source = dataset(config, **overrides)
    return source, face_cache.load_or_crop(source, settings, cache / "faces", config.limit)

  if config.split == "published":
    if config.name not in PUBLISHED_SPLITS:
      raise ValueError(
        f"dataset {config.name!r} has no published split; set config.data.split to identity or order "
        f"(published: {', '.join(PUBLISHED_SPLITS)})"
      )
    (train_source, train), (test_source, test) = (crops(**options) for options in PUBLISHED_SPLITS[config.name])
    train, test = of_one_numbering(train, test)
    images = np.concatenate([train.image, test.image])
    kept, dropped = split.drop_duplicates(images, np.arange(len(train)), len(train) + np.arange(len(test)))
    missed = train.missed + test.missed
    train, test = dataclasses.replace(train, missed=missed), dataclasses.replace(test, missed=missed)
    num_records = sum(min(config.limit or len(source), len(source)) for source in (train_source, test_source))
    return _not_empty(Split(train, test.take(kept - len(train)), test_source, num_records, len(dropped)), config)
  source, found = crops()
  if config.split == "order":
    train, test = split.by_order(len(found), config.train_fraction)
  else:
    train, test = split.by_identity(found.identity, config.train_fraction, config.split_seed)
  test, dropped = split.drop_duplicates(found.image, train, test)
  num_records = min(config.limit or len(source), len(source))
  return _not_empty(Split(found.take(train), found.take(test), source, num_records, len(dropped)), config)


def _not_empty(data: Split, config) -> Split:
  for name, found in (("training", data.train), ("test", data.test)):
    if not len(found):
      raise ValueError(
        f"dataset {config.name!r} gives no {name} faces: {data.num_records} records, {len(found.missed)} without a "
        f"usable face, {data.num_duplicates} test faces that also train; first reason: {(found.missed or ['none'])[0]}"
      )
  return data


def service_config(config: ml_collections.ConfigDict, network: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """The config of the run that trains `network`, the service or a judge, on `config.service_data` or the own faces."""
  derived = config.copy_and_resolve_references()
  with derived.unlocked():
    derived.task = "classifier"
    derived.image_size = image_size(config)
    derived.data = (config.service_data if config.service_data.name else config.data).copy_and_resolve_references()
    derived.service = network.copy_and_resolve_references()
    derived.judges = ml_collections.ConfigDict()
    derived.ensemble = ml_collections.ConfigDict()
    derived.checkpoint_every = 1
  return derived


def deidentifier(config: ml_collections.ConfigDict, name: str, gallery: FaceSet | None = None) -> Deidentifier:
  """The de-identifier called `name` with its options from `config.deid`; `gallery` is what k_same averages.

  Raises:
    ValueError: for options out of range, a network that cannot be used, or k_same without a gallery.
  """
  return DEIDENTIFIERS[name](**_deid_options(config, name, gallery))


def baseline(config: ml_collections.ConfigDict, text: str, gallery: FaceSet) -> Deidentifier:
  """The same of 'NAME:OPTION=VALUE' (deid/baselines.py), whose options come before those of `config.deid`."""
  name, _ = baselines.parsed(text)
  return baselines.make(text, _deid_options(config, name, gallery))


def _deid_options(config, name, gallery):
  options = dict(config.deid.get(name, {}))
  if name == "k_same" and gallery is not None:
    options |= {"gallery": gallery.image, "identity": gallery.identity}
  return options


def networks_of(config: ml_collections.ConfigDict) -> dict[str, ml_collections.ConfigDict]:
  """The expression networks of a QM-VAE run, by the name of their key: the service, its ensemble, the judges."""
  groups = {f"{group}.{name}": one for group in ("ensemble", "judges") for name, one in config[group].items()}
  return {"service": config.service} | groups


def provenance(config: ml_collections.ConfigDict, experiment: Experiment) -> dict:
  """What a run's numbers hang on besides its config: digests of the faces on both sides and of the frozen networks."""
  digests = dict(getattr(experiment.parts, "networks", {}))
  networks = networks_of(config) if config.task == "qm_vae" else {}
  if config.task in ("qm_vae", "black_box"):
    # A baseline may change between training and judging; what QM-VAE was trained on or to may not.
    networks |= {
      f"deid.{name}": config.deid[name]
      for name in (*config.views, config.target.image)
      if config.deid.get(name, {}).get("checkpoint")
    }
  recognisers = {"qm_vae": config.recognisers, "amt_gan": config.amt_gan.embedders}.get(config.task, ())
  digests |= {f"embedder {i}": embedders.open_embedder(path).sha256 for i, path in enumerate(recognisers)}
  return {
    "train": _digest(experiment.data.train),
    "test": _digest(experiment.data.test),
    "networks": {name: network_file.read_meta(one.checkpoint)["sha256"] for name, one in networks.items()} | digests,
  }


def _digest(found):
  total = hashlib.sha256()
  for one in (found.first, found.second) if isinstance(found, Unpaired) else (found,):
    total.update("\0".join(one.name).encode())
    for array in (one.image, one.eyes, one.identity, one.label):
      total.update(np.ascontiguousarray(array).tobytes())
  return total.hexdigest()


def classifier_run(config: ml_collections.ConfigDict) -> Experiment:
  """The run that trains the expression recogniser `config.service`."""
  network = config.service
  data = load_faces(config.data, image_size(config), cache_dir(config))
  data = data._replace(train=_labelled(data.train), test=_labelled(data.test))
  if not len(data.train) or not len(data.test):
    raise ValueError(
      f"dataset {config.data.name!r} carries no expression labels, so no classifier can be trained on it; give a "
      "trained or converted network in its place (--config.service.checkpoint, --config.judges.second.checkpoint), or "
      "data with labels"
    )
  steps = network.epochs * (len(data.train) // network.batch_size)
  rate = schedule.make("cosine", network.learning_rate, steps, warmup=steps // 20)
  meta = expression.describe(network.architecture, network.input_size, data.train.classes)
  task = classifier.make(
    meta,
    optax.adamw(rate, weight_decay=network.weight_decay),
    augmentation=Augmentation(**network.augment),
    label_smoothing=network.label_smoothing,
  )
  parts = NetworkParts(meta, classifier.export, lambda row: {"test_accuracy": row["correct"]})
  return experiment_of(config, task, (), (), data, network, parts)


def _labelled(found):
  return found.take(np.flatnonzero(found.label >= 0))


def experiment_of(config, task, frozen, weights, data, lengths, parts) -> Experiment:
  """The pieces together; `lengths` holds seed, epochs and batch size: the config, or the network that a run trains."""
  return Experiment(
    task=task,
    frozen=frozen,
    weights=weights,
    data=data,
    seed=lengths.seed,
    epochs=lengths.epochs,
    batch_size=lengths.batch_size,
    evaluate_every=config.evaluate_every,
    checkpoint_every=config.checkpoint_every,
    log_every=config.log_every,
    parts=parts,
  )
