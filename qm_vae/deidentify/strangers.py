"""The faces of other people that some methods average, from a folder of pictures or any dataset."""

import os
from typing import Any

from qm_vae import types
from qm_vae.data import DATASETS
from qm_vae.errors import InputError
from qm_vae.faces import cache, cropping
from qm_vae.io.cache import user_cache
from qm_vae.services import SERVICES

MARGIN = 0.3
"""Share of the found box's side around a gallery's face: enough for the crop of any method."""


def gallery_options(
  gallery: str | os.PathLike | types.Source, size: int, service: str | os.PathLike = ""
) -> dict[str, Any]:
  """Keywords for the factory of a de-identifier that needs a gallery.

  Args:
    gallery: folder of pictures of people who agreed to be averaged, or a dataset of them, one face each; what shows no
      face is left out.
    size: side of the crops, pixels.
    service: folder of an expression network whose answer the averaged faces must share; '': any faces.

  Raises:
    ValueError: for a folder without pictures or faces, or what is no such network.
  """
  in_folder = isinstance(gallery, (str, os.PathLike))
  source = DATASETS["folder"](root=str(gallery)) if in_folder else gallery
  found = cache.load_or_crop(source, cropping.Settings(image_size=size, margin=MARGIN), user_cache() / "faces")
  if not len(found):
    raise InputError(f"{name_of(gallery)}: no face was found in {len(source)} pictures; give upright frontal faces")
  options = {"gallery": found.image, "identity": found.identity, "eyes": found.eyes}
  return options | ({"service": SERVICES["expression"](service)} if service else {})


def name_of(gallery: str | os.PathLike | types.Source) -> str:
  """What a record calls a gallery: its path, or the fingerprint of a dataset."""
  return os.fspath(gallery) if isinstance(gallery, (str, os.PathLike)) else gallery.fingerprint
