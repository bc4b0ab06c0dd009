"""De-identifies pictures, video and streams.

`qm_vae.deidentify(image, method)`, the same as `images`, is for notebooks; python -m qm_vae.deidentify for the rest.
"""

import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qm_vae.errors import InputError


class Protected(NamedTuple):
  """What `images` returns."""

  images: np.ndarray  # uint8, of the shape that was given
  faces: list[list[dict]]  # for each picture its faces: box [x, y, width, height] in pixels, score, hidden


def images(
  array: np.ndarray,
  method: Any = "solid",
  *,
  detector: str = "auto",
  threshold: float | None = None,
  min_size: int = 12,
  margin: float | None = None,
  shape: str = "box",
  seed: int | None = None,
  gallery: str = "",
  service: str = "",
  landmarker: str | Callable[[np.ndarray], np.ndarray] | None = None,
  in_tiles: bool = True,
) -> Protected:
  """Hides every detected face.

  Pictures are processed independently. For video use the command line, which tracks faces over time.

  Args:
    array: uint8 [H, W, 3] or [N, H, W, 3] RGB; it is not changed.
    method: NAME or NAME:OPTION=VALUE,... of a de-identifier, the folder of a finished QM-VAE run or its export, a
      `types.Deidentifier`, or a function of one face crop, uint8 [S, S, 3] -> uint8 [S, S, 3].
    detector: a name in faces.detectors.DETECTORS ('auto': the best one installed), or the path of an ONNX file.
    threshold: score in (0, 1) needed to start a track; half of it suffices here. None: the detector's own.
    min_size: smaller faces, in pixels, are ignored.
    margin: covered border, as a share of the box's longer side; None: the method's own.
    shape: 'box' or 'ellipse'.
    seed: seed of the noise; None draws a secret one.
    gallery: folder of pictures of other people, for methods that average faces.
    service: folder of an expression network, for methods that keep its answer.
    landmarker: folder of a landmark network, or a function uint8 [N, S, S, 3] -> float32 [N, 68, 2], for methods that
      need landmarks.
    in_tiles: whether to search large pictures in tiles, to find faces of `min_size`.

  Raises:
    ValueError: for arrays of another form, or options that are not allowed.

  Examples:
    >>> import numpy as np
    >>> grey = np.full((64, 64, 3), 128, np.uint8)  # no face in it
    >>> found = images(grey, "mosaic:block=8")
    >>> found.images.shape, found.faces
    ((64, 64, 3), [[]])
  """
  from qm_vae import landmarkers
  from qm_vae.deidentify import methods, pictures
  from qm_vae.deidentify.hiding import TOGETHER, Hider
  from qm_vae.deidentify.selection import Selection
  from qm_vae.faces import detectors
  from qm_vae.faces.detectors import tiles

  folder = landmarker if isinstance(landmarker, str) else ""
  if isinstance(landmarker, str):
    landmarker = landmarkers.on_host(landmarkers.load(landmarker), TOGETHER)
  array = np.asarray(array)
  if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-1] != 3:
    raise InputError(f"images are {array.dtype} {list(array.shape)}; they must be uint8 [H, W, 3] or [N, H, W, 3], RGB")
  finder = detectors.open_detector(detector, threshold=threshold, min_size=min_size)
  finder = tiles.tiled(finder) if in_tiles else finder
  hider = Hider(
    methods.open_method(method, gallery=gallery, service=service, landmarks=folder),
    margin=margin,
    shape=shape,
    seed=seed,
    landmarker=landmarker,
  )
  batch = array if array.ndim == 4 else array[None]
  done = [pictures.protect(picture, finder, hider, Selection()) for picture in batch]
  made = np.stack([one.image for one in done]) if done else batch.copy()
  return Protected(made.reshape(array.shape), [one.faces for one in done])


class _Callable(types.ModuleType):
  """This package, which can be called: `qm_vae.deidentify(image)`."""

  def __call__(self, array: np.ndarray, method: Any = "solid", **options: Any) -> Protected:
    """`images` of the same arguments."""
    return images(array, method, **options)


sys.modules[__name__].__class__ = _Callable
