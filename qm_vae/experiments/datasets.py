"""Datasets of a config: cropped faces, split into training and test faces."""

import dataclasses
import pathlib

import ml_collections
import numpy as np

from qm_vae.data import DATASETS, split
from qm_vae.faces import cache as face_cache
from qm_vae.faces import cropping
from qm_vae.training.state import Split
from qm_vae.types import Source, of_one_numbering

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
  settings = cropping.Settings(image_size=size, **config.faces.to_dict())

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
