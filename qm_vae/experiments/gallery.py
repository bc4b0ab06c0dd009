"""The faces that a run's views average, kept in the run's folder so that the run can be used without its data."""

import pathlib
import zipfile
from typing import NamedTuple

import numpy as np

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.experiments.schema import Config
from qm_vae.io import records
from qm_vae.options import trait

FILE = "gallery.npz"
_WITH_VIEWS = ("qm_vae", "black_box")  # tasks that look at faces through views


class Gallery(NamedTuple):
  """What de-identifiers that average faces are given of them."""

  image: np.ndarray  # uint8 [N, S, S, 3]
  identity: np.ndarray  # int32 [N]
  eyes: np.ndarray  # float32 [N, 4]


def is_needed(config: Config) -> bool:
  """Whether a view of the run averages faces."""
  return config.task in _WITH_VIEWS and any(trait(DEIDENTIFIERS[name], "needs_gallery") for name in config.views)


def save(workdir: pathlib.Path, faces) -> None:
  """Writes WORKDIR/gallery.npz of a FaceSet, where it is not there yet."""
  path = workdir / FILE
  if not path.exists():
    records.write_arrays(path, {"image": faces.image, "identity": faces.identity, "eyes": faces.eyes})


def load(workdir: pathlib.Path) -> Gallery:
  """The gallery of a run.

  Raises:
    ValueError: where it is missing or damaged, naming the file.
  """
  path = workdir / FILE
  try:
    with np.load(path, allow_pickle=False) as file:
      found = Gallery(file["image"], file["identity"], file["eyes"])
  except FileNotFoundError:
    raise InputError(
      f"{path} is missing, and a view of the run averages its faces; copy it from where the run was trained"
    ) from None
  except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
    raise InputError(f"{path} is damaged ({error}); copy it again from where the run was trained") from error
  count = len(found.image)
  if found.image.dtype != np.uint8 or found.image.ndim != 4 or found.eyes.shape != (count, 4):
    raise InputError(f"{path} holds no gallery: uint8 [N, S, S, 3] with eyes [N, 4]; copy it again from the run")
  return found
