"""Datasets of a config: cropped faces, split into training and test faces."""

import dataclasses
import pathlib

import numpy as np

from qm_vae.data import DATASETS, split
from qm_vae.data.parts import of_one_numbering
from qm_vae.errors import InputError
from qm_vae.experiments.schema.data import OptionalDataset
from qm_vae.faces import cache as face_cache
from qm_vae.faces import cropping
from qm_vae.options import trait
from qm_vae.training.state import Split
from qm_vae.types import Source


def dataset(config: OptionalDataset, **overrides) -> Source:
  """The source that a dataset config (`config.data`, `config.service_data`) names.

  Raises:
    ValueError: without the folder or file that it is read from.
  """
  factory, options = DATASETS[config.name], config.options.get(config.name, {}) | overrides
  if place := trait(factory, "place"):
    if not config.root and not trait(factory, "has_default_place"):
      raise InputError(f"dataset {config.name!r} needs its folder or file: --config.data.root=PATH")
    options[place] = config.root
  return factory(**options)


def labelled(name: str) -> bool:
  """Whether a dataset's records may carry expression labels."""
  return bool(trait(DATASETS[name], "labelled"))


def load_faces(config: OptionalDataset, size: int, cache: pathlib.Path) -> Split:
  """Cropped faces of a dataset config, split into training and test faces.

  Args:
    config: `config.data` or `config.service_data`.
    size: side of the crops, pixels.
    cache: folder of the face cache.

  Raises:
    ValueError: where a dataset has no published split, or too few faces are found.
  """
  settings = cropping.Settings(image_size=size, **vars(config.faces))

  def crops(**overrides):
    source = dataset(config, **overrides)
    return source, face_cache.load_or_crop(source, settings, cache / "faces", config.limit)

  if config.split == "published":
    published = trait(DATASETS[config.name], "published")
    if not published:
      others = ", ".join(name for name, factory in DATASETS.items() if trait(factory, "published"))
      raise InputError(
        f"dataset {config.name!r} has no published split; set config.data.split to identity or order "
        f"(published: {others})"
      )
    (train_source, train), (test_source, test) = (crops(**options) for options in published)
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
      raise InputError(
        f"dataset {config.name!r} gives no {name} faces: {data.num_records} records, {len(found.missed)} without a "
        f"usable face, {data.num_duplicates} test faces that also train; first reason: {(found.missed or ['none'])[0]}"
      )
  return data
