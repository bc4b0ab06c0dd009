"""Frozen networks on disk: a folder with network.json, which describes the network, and arrays.npz."""

import hashlib
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

META = "network.json"
ARRAYS = "arrays.npz"
REMEDY = (
  "write the folder anew, with python -m qm_vae.convert or by training (configs/expression.py, embedder.py, ugatit.py, "
  "amt_gan.py)"
)


def save(directory: str | os.PathLike, meta: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
  """Writes a network into `directory`, which is made where it is missing; other files there stay.

  Both files are written aside and renamed, the description last, so that a kill leaves the old network, the new one, or
  a pair that `load` refuses.

  Args:
    directory: the folder.
    meta: what JSON can hold; `num_params` and `sha256` are filled in here.
    variables: nested dict of arrays, e.g. {"params": ..., "batch_stats": ...}.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  flat = {key: np.asarray(array) for key, array in traverse_util.flatten_dict(dict(variables), sep="/").items()}
  num_params = sum(array.size for key, array in flat.items() if key.startswith("params/"))
  meta = dict(meta) | {"num_params": num_params, "sha256": _digest(flat)}
  aside = directory / f"{ARRAYS}.aside"
  with aside.open("wb") as file:
    np.savez(file, allow_pickle=False, **flat)
  os.replace(aside, directory / ARRAYS)
  aside = directory / f"{META}.aside"
  aside.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
  os.replace(aside, directory / META)


def read_meta(directory: str | os.PathLike) -> dict[str, Any]:
  """The description in `directory` alone; `sha256` is the digest of its arrays.

  Raises:
    ValueError: when it is missing or damaged.
  """
  path = pathlib.Path(directory) / META
  if not path.is_file():
    raise ValueError(f"{path} is missing; {REMEDY}")
  try:
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["sha256"]
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(f"{path} is damaged ({error!r}); {REMEDY}") from error
  return meta


def load(directory: str | os.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the network in `directory`; the arrays are NumPy's.

  Raises:
    ValueError: naming the file and the remedy, when one is missing, damaged, or does not belong to the other.
  """
  directory = pathlib.Path(directory)
  meta = read_meta(directory)
  if not (directory / ARRAYS).is_file():
    raise ValueError(f"{directory / ARRAYS} is missing; {REMEDY}")
  try:
    with np.load(directory / ARRAYS, allow_pickle=False) as file:
      flat = {key: file[key] for key in file.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise ValueError(f"{directory / ARRAYS} is damaged ({error}); {REMEDY}") from error
  if _digest(flat) != meta["sha256"]:
    raise ValueError(f"{directory / ARRAYS} does not hold what {META} beside it describes (SHA-256 differs); {REMEDY}")
  return meta, traverse_util.unflatten_dict(flat, sep="/")


def check_kind(directory: str | os.PathLike, meta: Mapping[str, Any], kind: str) -> None:
  """Returns when `meta` describes a network of `kind`.

  Raises:
    ValueError: otherwise, naming the folder.
  """
  if meta.get("kind") != kind:
    raise ValueError(f"{directory} holds a network of kind {meta.get('kind')!r}, not {kind!r}; give another folder")


def check_shapes(directory: str | os.PathLike, expected: Any, variables: Any) -> None:
  """Returns when every array has the name and the shape that its architecture gives it.

  Args:
    directory: where the variables come from, for the message.
    expected: what `init` would return, as jax.eval_shape tells it.
    variables: what `load` returned.

  Raises:
    ValueError: naming the first array that does not fit.
  """
  shapes = lambda tree: {
    jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }
  expected, found = shapes(expected), shapes(variables)
  wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
  if wrong:
    name = wrong[0]
    raise ValueError(
      f"{directory}: {len(wrong)} arrays do not fit the architecture, first {name} with shape "
      f"{found.get(name)}, expected {expected.get(name)}; {REMEDY}"
    )


def _digest(flat):
  """SHA-256 over names, types, shapes and bytes in the order of the names."""
  digest = hashlib.sha256()
  for key in sorted(flat):
    array = np.ascontiguousarray(flat[key])
    digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)  # its own bytes; tobytes would copy them
  return digest.hexdigest()
