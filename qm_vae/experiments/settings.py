"""What follows from a config before anything is built: sizes, folders, derived configs."""

import os
import pathlib
from typing import Any

import jax
import ml_collections

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.experiments import schema
from qm_vae.io import writers
from qm_vae.io.cache import user_cache
from qm_vae.options import trait

_OF_FILES = ("log.", "privacy.embedders", "recognisers", "amt_gan.embedders")

AnyConfig = schema.Config | ml_collections.ConfigDict


def cache_dir(config: AnyConfig) -> pathlib.Path:
  """Where face crops and trained services are kept."""
  return pathlib.Path(config.cache_dir).expanduser() if config.cache_dir else user_cache()


def image_size(config: AnyConfig) -> int:
  """Side of the face crop, pixels."""
  return config.image_size or (64 if jax.default_backend() == "cpu" else 128)


def preset(config: AnyConfig) -> str:
  """Name of the network preset."""
  if config.model.preset != "auto":
    return config.model.preset
  return "small" if jax.default_backend() == "cpu" else "paper"


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
    derived.log.writers = ()
  return derived


def writers_of(config: AnyConfig) -> writers.Choice:
  """Where the run's numbers go besides its folder; they are told the config without what names files."""
  options = {name: dict(one) for name, one in config.log.options.items()}
  flat = schema.flatten(schema.plain(schema.view(config)))
  named = {key: value for key, value in flat.items() if not (isinstance(value, str) and os.sep in value)}
  hparams = {key: value for key, value in named.items() if value not in ("", ()) and not key.startswith(_OF_FILES)}
  return writers.Choice(tuple(config.log.writers), options, hparams)


def landmarks_shape(config: AnyConfig) -> bool:
  """Whether the landmark network has a part in what a run makes of faces, and not only in judging it."""
  placed = any(trait(DEIDENTIFIERS[name], "uses_landmarker") for name in config.views)
  return bool(config.landmarks) and (placed or config.composite.region == "face")


def asks_service(config: AnyConfig) -> bool:
  """Whether the service's answer on a face has a part in what a run makes of it: its decoder or a view receives it."""
  in_views = any(trait(DEIDENTIFIERS[name], "needs_service") for name in config.views)
  return config.condition.answer != "none" or (bool(config.service.checkpoint) and in_views)


def networks_of(config: AnyConfig) -> dict[str, Any]:
  """The expression networks of a QM-VAE run, by the name of their key: the service, its ensemble, the judges."""
  groups = {f"{group}.{name}": one for group in ("ensemble", "judges") for name, one in getattr(config, group).items()}
  return {"service": config.service} | groups
