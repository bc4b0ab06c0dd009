"""The faces of pictures before and after any tool, cut at the same place."""

import concurrent.futures
import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qm_vae import types
from qm_vae.audit import matching, swaps
from qm_vae.data import file_source
from qm_vae.faces import cache, cropping
from qm_vae.io import images, progress
from qm_vae.metrics import images as metrics
from qm_vae.privacy import contract

WINDOW = 160
"""Pixels: the largest side of what Pairs.pixels keeps of a picture."""

_ASPECT = 0.01  # relative difference of width to height up to which a picture counts as resized
_BLOCK = 12  # pixels: in every untouched face of the smallest size, 24, lies a whole block
_CHUNK = 256  # pairs in flight, so that an interrupted run stops within moments


class Resized(NamedTuple):
  """A protected picture of another size than its original; sizes are width, height in pixels."""

  name: str
  original: tuple[int, int]
  protected: tuple[int, int]


class Unprotected(NamedTuple):
  """A face, or a picture in which none was found, that the tool left as it was."""

  name: str
  psnr: float  # dB; infinite where nothing was changed


class Further(NamedTuple):
  """A place besides the judged face that the detector takes for one, and that the tool left as it was."""

  name: str
  box: tuple[int, int, int, int]  # x, y, width, height in pixels of the original


class Swapped(NamedTuple):
  """A protected picture that shows another original than its own."""

  name: str
  shows: str


@dataclasses.dataclass(frozen=True)
class PairedFaces:
  """The faces of two sides, and what became of the pictures that gave none."""

  pairs: contract.Pairs  # in the order of the pictures
  index: np.ndarray  # int64 [N], which picture each face is of
  original_pixels: np.ndarray  # uint8 [N, h, w, 3], of the originals what `pairs.pixels` is of the protected pictures
  missed: tuple[types.Missed, ...]  # originals in which no face was found
  unreadable: tuple[types.Missed, ...]  # either side
  incomparable: tuple[types.Missed, ...]  # protected pictures of another shape than their originals
  resized: tuple[Resized, ...]  # used nevertheless: their boxes were scaled
  unprotected: tuple[Unprotected, ...]
  further: tuple[Further, ...]
  swapped: tuple[Swapped, ...]


class _Compared(NamedTuple):
  sizes: tuple[tuple[int, int], tuple[int, int]]  # width, height of the original and of the protected picture
  psnr: float  # dB
  thumbnails: tuple[np.ndarray, np.ndarray]
  face: np.ndarray | None  # uint8 [S, S, 3] of the protected picture; None where no box was given
  further: tuple[tuple[int, int, int, int], ...]  # boxes
  windows: tuple[np.ndarray, np.ndarray] | None  # uint8 [<= WINDOW, <= WINDOW, 3] of both pictures


class _Left(NamedTuple):
  where: str  # unreadable | incomparable
  reason: str


def load(
  pairs: Sequence[matching.Pair],
  identity: np.ndarray,
  settings: cropping.Settings,
  cache_dir: str | os.PathLike,
  show: bool = True,
) -> PairedFaces:
  """The largest face of every original, and the same place of its protected picture.

  Faces are sought in the originals alone, with the cache; a protected picture need not show one. Its place is cut out
  as `faces.crop` does it; where the protected picture has another size but the same shape, the box is scaled with it.

  A face counts as unprotected where the PSNR over its box, as far as that lies inside the frame and at the resolution
  of the frame, is at least UNPROTECTED; where no face was found the whole picture is compared. Where a protected
  picture was resized, the larger of the two is shrunk before.

  Args:
    pairs: what `paired.match` found.
    identity: integers [N], whom they show.
    settings: how faces are found and cropped.
    cache_dir: where the originals' faces are kept, see `face_cache.load_or_crop`.
    show: whether bars are drawn on standard error.

  Returns:
    See PairedFaces. All names are those of `pairs`. Its `pairs.pixels` holds the top left corners of the protected
    pictures: WINDOW on each side, or as much as 95 % of the pictures have; the border of smaller ones is repeated.
  """
  source = file_source.FileSource(pathlib.Path(), [str(pair.original) for pair in pairs])
  found = cache.load_or_crop(source, settings, cache_dir, show=show)
  row = dict(zip(found.index.tolist(), range(len(found)), strict=True))
  no_face = {missed.name: missed.reason for missed in found.missed}
  boxes = [found.box[row[i]] if i in row else None for i in range(len(pairs))]
  left, missed, resized, unprotected, further = {"unreadable": [], "incomparable": []}, [], [], [], []
  compared, kept, thumbnails, windows = [], [], [], []
  protected = np.empty_like(found.image)
  for i, (pair, result) in enumerate(zip(pairs, _compare_all(pairs, boxes, settings, show), strict=True)):
    if isinstance(result, _Left):
      left[result.where].append(types.Missed(pair.name, result.reason))
      continue
    compared.append(i)
    thumbnails.append(result.thumbnails)
    if result.sizes[0] != result.sizes[1]:
      resized.append(Resized(pair.name, *result.sizes))
    if result.psnr >= metrics.UNPROTECTED:
      unprotected.append(Unprotected(pair.name, result.psnr))
    further += [Further(pair.name, box) for box in result.further]
    if i in row:
      protected[len(kept)] = result.face
      kept.append(i)
      windows.append(result.windows)
    else:
      missed.append(types.Missed(pair.name, no_face[str(pair.original)]))
  rows = [row[i] for i in kept]
  pixels = [_stacked(side) for side in zip(*windows, strict=True)] or [np.empty((0, 0, 0, 3), np.uint8)] * 2
  thumbnails = np.array(thumbnails, np.float32).reshape(-1, 2, swaps.SIDE, swaps.SIDE)
  return PairedFaces(
    pairs=contract.Pairs(
      original=found.image if len(rows) == len(found) else found.image[rows],
      protected=protected[: len(rows)],
      eyes=found.eyes[rows],
      protected_eyes=found.eyes[rows],
      identity=np.asarray(identity, np.int32)[kept],
      name=tuple(pairs[i].name for i in kept),
      pixels=pixels[1],
    ),
    index=np.array(kept, np.int64),
    original_pixels=pixels[0],
    missed=tuple(missed),
    unreadable=tuple(left["unreadable"]),
    incomparable=tuple(left["incomparable"]),
    resized=tuple(resized),
    unprotected=tuple(unprotected),
    further=tuple(further),
    swapped=tuple(
      Swapped(pairs[compared[a]].name, pairs[compared[b]].name)
      for a, b in swaps.swapped(thumbnails[:, 0], thumbnails[:, 1])
    ),
  )


def _compare_all(pairs, boxes, settings, show):
  compare = functools.partial(_compare, settings)
  with (
    concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    progress.bar(len(pairs), "pairs", "pair", shown=show) as bar,
  ):
    for start in range(0, len(pairs), _CHUNK):
      several = slice(start, start + _CHUNK)
      for result in pool.map(compare, pairs[several], boxes[several]):
        bar.update()
        yield result


def _compare(settings, pair, box):
  try:
    original = images.read_image(pair.original, "original")
    protected = images.read_image(pair.protected, "protected picture")
  except types.UnreadableImage as error:
    return _Left("unreadable", str(error))
  sizes = original.shape[1::-1], protected.shape[1::-1]
  (width, height), (new_width, new_height) = sizes
  if abs(new_width * height / (new_height * width) - 1) > _ASPECT:
    turned = "; was the orientation that the camera noted dropped?" if sizes[0] == sizes[1][::-1] else ""
    return _Left("incomparable", f"{width} x {height} pixels became {new_width} x {new_height}{turned}")
  square = np.array([0, 0, width, height] if box is None else [*box, box[2]], np.float64)
  scaled = np.rint(square * np.tile([new_width / width, new_height / height], 2))
  scaled[2:] = np.maximum(scaled[2:], 1)
  face = windows = None
  if box is not None:
    face = _cut(protected, scaled, settings, settings.image_size)[0]
    windows = tuple(image[:WINDOW, :WINDOW].copy() for image in (original, protected))
  decibels = _psnr(original, square, protected, scaled, settings)
  further = () if decibels >= metrics.UNPROTECTED else _further(original, square, protected, settings)
  thumbnails = swaps.thumbnail(original), swaps.thumbnail(protected)
  return _Compared(sizes, decibels, thumbnails, face, further, windows)


def _further(original, judged, protected, settings):
  """Boxes of faces in the original besides the judged one that are in the protected picture as they were."""
  if settings.detector == "none" or not _some_untouched(original, protected):
    return ()
  ratio = np.tile(np.divide(protected.shape[1::-1], original.shape[1::-1]), 2)
  boxes = []
  for box in cropping.detect(original, settings):
    centre = box[:2] + box[2:] / 2
    if not ((judged[:2] <= centre) & (centre < judged[:2] + judged[2:])).all():
      scaled = np.maximum(np.rint(box * ratio), (0, 0, 1, 1))
      if _psnr(original, box.astype(np.float64), protected, scaled, settings) >= metrics.UNPROTECTED:
        boxes.append(tuple(int(side) for side in box))
  return tuple(boxes)


def _some_untouched(original, protected):
  """Whether any block of _BLOCK x _BLOCK pixels is as it was; looking for faces takes a hundred times as long."""
  if original.shape != protected.shape:
    return True
  height, width = (side // _BLOCK for side in original.shape[:2])
  part = slice(height * _BLOCK), slice(width * _BLOCK)
  error = np.square(np.subtract(original[part], protected[part], dtype=np.int16), dtype=np.int32)
  error = error.reshape(height, _BLOCK, width, _BLOCK, 3).mean((1, 3, 4))
  return bool((error <= 255**2 / 10 ** (metrics.UNPROTECTED / 10)).any())


def _cut(image, box, settings, side):
  """(Crop [side, side, 3], mask) of the box itself: what `faces` found has its margin already."""
  return cropping.crop(image, box, settings._replace(margin=0.0, image_size=side))[:2]


def _psnr(original, box, protected, scaled, settings):
  side = int(min(max(box[2:]), max(scaled[2:])))
  first, mask = _cut(original, box, settings, side)
  second, _ = _cut(protected, scaled, settings, side)
  difference = np.subtract(first, second, dtype=np.int16)[mask[..., 0] == 1]
  return metrics.psnr_of_difference(difference)


def _stacked(windows):
  """[N, h, w, 3] of windows' corners, as large as 95 % of them are: a small picture must not hide what others hold."""
  height, width = (int(np.quantile([window.shape[axis] for window in windows], 0.05)) for axis in range(2))
  pixels = np.empty((len(windows), height, width, 3), np.uint8)
  for i, window in enumerate(windows):
    lacking = [(0, max(side - there, 0)) for side, there in zip((height, width), window.shape, strict=False)]
    pixels[i] = np.pad(window[:height, :width], (*lacking, (0, 0)), "edge")
  return pixels
