"""Face crops kept on disk, so that a second run starts in seconds."""

import hashlib
import json
import os
import pathlib
import tempfile
import warnings
from typing import Any

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError, InvalidFile
from qm_vae.faces import cropping, source_crops
from qm_vae.io import reading

FORMAT = 1
"""Counts up whenever the files' form or the way of cropping changes, so that older files are left alone."""

_ARRAYS = ("image", "mask", "eyes", "box", "identity", "label", "index")
_STRINGS = ("name", "classes", "identities")


def load_or_crop(
  source: types.Source,
  settings: cropping.Settings,
  cache_dir: str | os.PathLike,
  limit: int = 0,
  show: bool = True,
) -> types.FaceSet:
  """The faces of a source, from the cache where it holds them, else cropped now and kept there.

  Args:
    source: any dataset; its fingerprint is part of the key.
    settings: how faces are found and cropped; part of the key.
    cache_dir: a directory, made when absent.
    limit: only the first that many records are looked at; 0 for all.
    show: whether a bar is drawn while cropping.

  Returns:
    What `source_crops.crop_source` returns, `missed` included.

  Raises:
    ValueError: for a negative limit.
  """
  if limit < 0:
    raise InputError(f"limit is {limit}; it must be 0 (all records) or a number of records")
  path = cache_path(source, settings, cache_dir, limit)
  if path.exists():
    try:
      return _read(path)
    # A flipped byte may surface as nearly any exception, depending on whether the zip, a header or the data holds it.
    except Exception as error:
      warnings.warn(
        f"the face cache {path} is damaged ({type(error).__name__}: {error}); it is built anew", stacklevel=2
      )
  count = min(limit or len(source), len(source))
  found = source_crops.crop_source(source, settings, np.arange(count), show)
  _write(path, found)
  return found


def cache_path(
  source: types.Source, settings: cropping.Settings, cache_dir: str | os.PathLike, limit: int = 0
) -> pathlib.Path:
  """The file that holds these faces, whether or not it exists."""
  key = json.dumps([FORMAT, source.fingerprint, settings._asdict(), limit], sort_keys=True)
  return pathlib.Path(cache_dir) / f"faces_{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def _write(path, found):
  strings = {field: np.array(getattr(found, field), np.str_) for field in _STRINGS}
  missed = {
    "missed_name": np.array([each.name for each in found.missed], np.str_),
    "missed_reason": np.array([each.reason for each in found.missed], np.str_),
  }
  path.parent.mkdir(parents=True, exist_ok=True)
  # Written aside and renamed: another run never sees half a file.
  handle, aside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
  try:
    with os.fdopen(handle, "wb") as file:
      np.savez(file, allow_pickle=False, **{field: getattr(found, field) for field in _ARRAYS}, **strings, **missed)
    os.replace(aside, path)
  except BaseException:
    os.unlink(aside)
    raise


def _read(path):
  remedy = "remove it; it is made anew"
  file = reading.read_arrays(path, remedy=remedy)
  texts = (*_STRINGS, "missed_name", "missed_reason")
  wrong = [field for field in (*_ARRAYS, *texts) if field not in file]
  wrong += [field for field in texts if field in file and (file[field].ndim != 1 or file[field].dtype.kind not in "Uf")]
  wrong += [field for field in _ARRAYS if field in file and file[field].dtype.kind not in "fiu"]
  if wrong:
    raise InvalidFile(path, f"lacks {wrong[0]}, or has another kind of it", remedy=remedy)
  try:
    arrays: dict[str, Any] = {field: file[field] for field in _ARRAYS}
    strings: dict[str, Any] = {field: tuple(file[field].tolist()) for field in _STRINGS}
    missed = zip(file["missed_name"].tolist(), file["missed_reason"].tolist(), strict=True)
    return types.FaceSet(**arrays, **strings, missed=tuple(types.Missed(*each) for each in missed))
  except ValueError as error:
    raise InvalidFile(path, f"is damaged ({str(error)[:200]})", remedy=remedy) from error
