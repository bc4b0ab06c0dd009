"""The faces that a run's views average, kept in the run's folder so that the run can be used without its data."""

import pathlib
from typing import NamedTuple

import numpy as np

from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InvalidFile
from qm_vae.experiments.schema import Config
from qm_vae.io import reading, records
from qm_vae.options import trait

FILE = "gallery.npz"
_BYTES = 4 * 2**30
_REMEDY = "copy it again from where the run was trained"
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
  if not path.exists():
    raise InvalidFile(path, "is missing, and a view of the run averages its faces", remedy=_REMEDY)
  arrays = reading.read_arrays(path, most=_BYTES, remedy=_REMEDY)
  image, identity, eyes = (arrays.get(name, np.zeros(())) for name in Gallery._fields)
  well = image.dtype == np.uint8 and image.ndim == 4 and image.shape[-1] == 3 and len(image)
  well = well and identity.shape == image.shape[:1] and identity.dtype.kind in "iu"
  well = well and eyes.shape == (len(image), 4) and eyes.dtype.kind in "fiu" and bool(np.isfinite(eyes).all())
  if not well:
    wrong = f"holds no gallery: images {image.dtype} {list(image.shape)} with eyes {list(eyes.shape)}"
    raise InvalidFile(path, wrong, "uint8 [N, S, S, 3] with identities [N] and finite eyes [N, 4]", _REMEDY)
  return Gallery(image, identity, eyes)
