"""The faces of a dataset: one crop of every record (Qiu et al. 2022, Sec. 4.3)."""

import concurrent.futures
import functools
import os

import cv2
import numpy as np

from qm_vae import types
from qm_vae.faces import cropping
from qm_vae.io import progress

NO_FACE = "no face found"
"""How the reason begins, in types.Missed, for a readable record in which the detector finds no face."""

_CHUNK = 256  # records in flight, so that an interrupted run stops within moments


def crop_source(
  source: types.Source, settings: cropping.Settings, positions: np.ndarray | None = None, show: bool = True
) -> types.FaceSet:
  """The largest face of every record, and the list of records that gave none.

  Args:
    source: any dataset.
    settings: see cropping.Settings.
    positions: integers [N], records to look at; None for all of them.
    show: whether a bar is drawn on standard error.

  Returns:
    A FaceSet in the order of `positions`. Records that cannot be read or show no face are in its `missed`, with the
    reason.
  """
  positions = np.arange(len(source)) if positions is None else np.asarray(positions, np.int64)
  size = settings.image_size
  image = np.empty((len(positions), size, size, 3), np.uint8)
  mask = np.empty((len(positions), size, size, 1), np.uint8)
  rows, missed = [], []
  # The records already keep every core busy; OpenCV's own threads would only compete with them.
  threads = cv2.getNumThreads()
  cv2.setNumThreads(1)
  try:
    with (
      concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool,
      progress.bar(len(positions), "faces", "image", shown=show) as bar,
    ):
      for start in range(0, len(positions), _CHUNK):
        for found in pool.map(functools.partial(_face, source, settings), positions[start : start + _CHUNK].tolist()):
          bar.update()
          if isinstance(found, types.Missed):
            missed.append(found)
            continue
          image[len(rows)], mask[len(rows)], *row = found
          rows.append(row)
  finally:
    cv2.setNumThreads(threads)
  eyes, box, identity, label, index, name = zip(*rows, strict=True) if rows else ((),) * 6
  return types.FaceSet(
    image=image[: len(rows)],
    mask=mask[: len(rows)],
    eyes=np.array(eyes, np.float32).reshape(-1, 4),
    box=np.array(box, np.float32).reshape(-1, 3),
    identity=np.array(identity, np.int32),
    label=np.array(label, np.int32),
    index=np.array(index, np.int32),
    name=name,
    classes=tuple(source.classes),
    identities=tuple(source.identities),
    missed=tuple(missed),
  )


def _face(source, settings, position):
  try:
    record = source[position]
  except types.UnreadableImage as error:
    return types.Missed(error.name, error.reason)
  boxes = cropping.detect(record.image, settings)
  if not len(boxes):
    return types.Missed(record.name, _no_face(record.image, settings))
  image, mask, box = cropping.crop(record.image, boxes[0], settings)
  return image, mask, cropping.find_eyes(image, settings), box, record.identity, record.label, position, record.name


def _no_face(image, settings):
  height, width = image.shape[:2]
  if min(height, width) < settings.min_size:
    return f"{NO_FACE}: the image is {width} x {height} pixels, faces.min_size is {settings.min_size}"
  return NO_FACE
