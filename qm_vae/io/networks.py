"""Frozen networks on disk: a folder with network.json, which describes the network, and arrays.npz."""

import hashlib
import json
import os
import pathlib
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from flax import traverse_util

from qm_vae.errors import InvalidFile
from qm_vae.io import reading
from qm_vae.options import Rule

META = "network.json"
ARRAYS = "arrays.npz"
_META_BYTES = 2**20
_ARRAY_BYTES = 4 * 2**30
_Built = TypeVar("_Built")
REMEDY = (
  "write the folder anew, with python -m qm_vae.convert or by training (configs/expression.py, embedder.py, ugatit.py, "
  "amt_gan.py)"
)


def save(
  directory: str | os.PathLike, meta: Mapping[str, Any], variables: Mapping[str, Any], *, compressed: bool = False
) -> None:
  """Writes a network into `directory`, which is made where it is missing; other files there stay.

  Both files are written aside and renamed, the description last, so that a kill leaves the old network, the new one, or
  a pair that `load` refuses.

  Args:
    directory: the folder.
    meta: what JSON can hold; `num_params` and `sha256` are filled in here.
    variables: nested dict of arrays, e.g. {"params": ..., "batch_stats": ...}.
    compressed: a file that is a little smaller and slower to read.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  flat = {key: np.asarray(array) for key, array in traverse_util.flatten_dict(dict(variables), sep="/").items()}
  _check_finite(directory, flat)
  num_params = sum(array.size for key, array in flat.items() if key.startswith("params/"))
  meta = dict(meta) | {"num_params": num_params, "sha256": _digest(flat)}
  aside = directory / f"{ARRAYS}.aside"
  with aside.open("wb") as file:
    (np.savez_compressed if compressed else np.savez)(file, allow_pickle=False, **flat)
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
    raise InvalidFile(path, "is missing", remedy=REMEDY)
  meta = reading.read_json(path, most=_META_BYTES, remedy=REMEDY)
  if not isinstance(meta.get("sha256"), str):
    raise InvalidFile(path, "is damaged: it has no sha256", remedy=REMEDY)
  return meta


def load(directory: str | os.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the network in `directory`; the arrays are NumPy's.

  Raises:
    ValueError: naming the file and the remedy, when one is missing, damaged, or does not belong to the other.
  """
  directory = pathlib.Path(directory)
  meta = read_meta(directory)
  if not (directory / ARRAYS).is_file():
    raise InvalidFile(directory / ARRAYS, "is missing", remedy=REMEDY)
  flat = reading.read_arrays(directory / ARRAYS, most=_ARRAY_BYTES, remedy=REMEDY)
  if _digest(flat) != meta["sha256"]:
    raise InvalidFile(
      directory / ARRAYS, f"does not hold what {META} beside it describes (SHA-256 differs)", "", REMEDY
    )
  _check_finite(directory / ARRAYS, flat)
  return meta, traverse_util.unflatten_dict(flat, sep="/")


def _check_finite(path, flat):
  for name, array in flat.items():
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
      raise InvalidFile(path, f"holds {name} of type {array.dtype}", "numbers", REMEDY)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
      raise InvalidFile(path, f"holds numbers that are not finite, in {name}", "finite weights", REMEDY)


def check_meta(directory: str | os.PathLike, meta: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
  """Returns when a description has the keys that its kind needs, and each holds what is allowed.

  Args:
    directory: the network's folder, for the message.
    meta: what `read_meta` returned.
    rules: {key: rule}; a dotted key lies in an object.

  Raises:
    InvalidFile: naming the first key that is missing or wrong.
  """
  for key, rule in rules.items():
    value: Any = meta
    for part in key.split("."):
      value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or not rule.holds(value):
      raise InvalidFile(pathlib.Path(directory) / META, f"has {key} {reprlib.repr(value)}", rule.allowed, REMEDY)


def build(directory: str | os.PathLike, make: Callable[[], _Built]) -> _Built:
  """What `make` returns: the module that a description tells of, or its shapes.

  Raises:
    InvalidFile: where `make` fails, which is the description's fault.
  """
  try:
    return make()
  # Options of another type surface in the module as whatever its arithmetic raises.
  except Exception as error:
    words = f"describes no network that can be built ({type(error).__name__}: {str(error)[:100]})"
    raise InvalidFile(pathlib.Path(directory) / META, words, remedy=REMEDY) from error


def check_kind(directory: str | os.PathLike, meta: Mapping[str, Any], kind: str) -> None:
  """Returns when `meta` describes a network of `kind`.

  Raises:
    ValueError: otherwise, naming the folder.
  """
  if meta.get("kind") != kind:
    found = reprlib.repr(meta.get("kind"))
    raise InvalidFile(
      pathlib.Path(directory) / META, f"holds a network of kind {found}, not {kind!r}; give another folder"
    )


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
    words = f"describes another network than {ARRAYS} holds: {len(wrong)} arrays do not fit the architecture, first "
    words += f"{name[:200]} with shape {found.get(name)}"
    raise InvalidFile(pathlib.Path(directory) / META, words, str(expected.get(name)), REMEDY)


def _digest(flat):
  """SHA-256 over names, types, shapes and bytes in the order of the names."""
  digest = hashlib.sha256()
  for key in sorted(flat):
    array = np.ascontiguousarray(flat[key])
    digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)  # its own bytes; tobytes would copy them
  return digest.hexdigest()
