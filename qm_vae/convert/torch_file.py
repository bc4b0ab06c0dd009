"""PyTorch checkpoints as NumPy arrays, read without PyTorch and without running what the file says."""

import math
import os
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np

from qm_vae.convert.torch_pickle import DTYPES, Storage, Tensor, Unpickler
from qm_vae.errors import InvalidFile

REMEDY = "expected tensors, numbers and text in dicts, as torch.save(model.state_dict(), path) writes them"

_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a file written before PyTorch 1.6
_VERSION = 1001  # its second
_DEPTH = 100  # containers within containers


def load(path: str | os.PathLike, only: str | None = None) -> dict[Any, Any]:
  """What torch.save stored: dicts, lists and tuples as they were, every tensor a NumPy array.

  Reads the form that PyTorch 1.6 introduced (a zip archive) and the one before it. The pickle inside may name nothing
  but OrderedDict, tensors, parameters and storages, for which torch_pickle.py stands in; whatever else it names is
  refused before it is imported. A tensor cannot reach outside its storage, nor claim more elements than that holds.

  Args:
    path: the file.
    only: a key of the outermost dict whose value alone is wanted; the tensors of the others are neither read nor given.
      Where there is no such key, all is read. None: everything.

  Returns:
    dict, whose arrays cannot be written to; bfloat16, which NumPy lacks, comes back as float32. What was an OrderedDict
    is a dict in the same order.

  Raises:
    ValueError: naming the file, what is wrong with it, and what was expected.
    OSError: for a file that cannot be opened.
  """
  path = pathlib.Path(path)
  with path.open("rb") as file:
    zipped = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    try:
      tree, storages = (_read_zip if zipped else _read_legacy)(file, only)
      return _arrays(tree, storages, {}, 0)
    # A damaged or hostile pickle may surface as nearly any exception.
    except Exception as error:
      reason = f"{type(error).__name__}: {str(error)[:300]}"
      raise InvalidFile(path, f"cannot be read ({reason})", remedy=REMEDY) from error


def _wanted(tree, only):
  """(the part of the tree that is asked for, the keys of the storages that its tensors use)."""
  if not isinstance(tree, dict):
    raise pickle.UnpicklingError(f"it holds {type(tree).__name__}, not a dict")
  if only is not None and dict.__contains__(tree, only):
    tree = {only: dict.__getitem__(tree, only)}
  keys, left, seen = set(), [tree], set()
  while left:
    value = left.pop()
    if isinstance(value, Tensor):
      keys.add(value.storage.key)
    elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
      seen.add(id(value))
      left += dict.values(value) if isinstance(value, dict) else value
  return tree, keys


def _read_legacy(file, only):
  if Unpickler(file).load() != _MAGIC or Unpickler(file).load() != _VERSION:
    raise pickle.UnpicklingError("it does not begin as a PyTorch checkpoint does")
  _check_order(Unpickler(file).load()["little_endian"])
  unpickler = Unpickler(file)
  tree = unpickler.load()
  tree, wanted = _wanted(tree, only)
  keys = Unpickler(file).load()
  if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
    raise pickle.UnpicklingError("its list of storages is none")
  if sorted(keys) != sorted(unpickler.storages):
    raise pickle.UnpicklingError("the storages that it lists are not those that its tensors use")
  storages = {}
  for key in keys:
    storage = unpickler.storages[key]
    numel = int.from_bytes(file.read(8), "little", signed=True)
    if numel != storage.numel:
      raise pickle.UnpicklingError(f"storage {key} should hold {storage.numel} elements, its header says {numel}")
    size = storage.numel * np.dtype(DTYPES[storage.kind]).itemsize
    _check_size(storage, size, os.fstat(file.fileno()).st_size - file.tell())
    if key in wanted:
      storages[key] = np.frombuffer(file.read(size), DTYPES[storage.kind])
    else:
      file.seek(size, os.SEEK_CUR)
  return tree, storages


def _read_zip(file, only):
  with zipfile.ZipFile(file) as archive:
    entries = {info.filename: info for info in archive.infolist()}
    # PyTorch compresses nothing; a file that does could unfold to any size.
    packed = [name for name, info in entries.items() if info.compress_type != zipfile.ZIP_STORED]
    if packed:
      raise pickle.UnpicklingError(f"its entry {packed[0]!r:.80} is compressed")
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise pickle.UnpicklingError(f"it holds {len(pickles)} entries called data.pkl where there should be 1")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in entries:
      _check_order(archive.read(f"{root}byteorder") == b"little")
    with archive.open(pickles[0]) as stream:
      unpickler = Unpickler(stream)
      tree, wanted = _wanted(unpickler.load(), only)
    storages = {}
    for key in wanted:
      storage = unpickler.storages[key]
      name = f"{root}data/{key}"
      if name not in entries:
        raise pickle.UnpicklingError(f"its entry {name!r:.80} is missing")
      size = storage.numel * np.dtype(DTYPES[storage.kind]).itemsize
      _check_size(storage, size, entries[name].file_size)
      storages[key] = np.frombuffer(archive.read(name), DTYPES[storage.kind], storage.numel)
  return tree, storages


def _check_order(little):
  if little is not True:
    raise pickle.UnpicklingError("it was written on a big-endian machine")


def _check_size(storage, wanted, found):
  if found < wanted:
    raise pickle.UnpicklingError(f"storage {storage.key!r:.80} should take {wanted} bytes, {found} are left: truncated")


def _arrays(value, storages, seen, depth):
  """`value` with arrays for tensors; an object that occurs often is made once (`seen`, by id)."""
  if value is None or isinstance(value, (bool, int, float, str, bytes)):
    return value
  if depth > _DEPTH:
    raise pickle.UnpicklingError(f"containers nest deeper than {_DEPTH}, or hold themselves")
  if id(value) not in seen:
    if isinstance(value, Storage):
      raise pickle.UnpicklingError(f"storage {value.key!r:.80} stands outside a tensor")
    elif isinstance(value, Tensor):
      seen[id(value)] = _array(value, storages[value.storage.key])
    elif isinstance(value, dict):
      strange = [key for key in value if not isinstance(key, (str, int))]
      if strange:
        raise pickle.UnpicklingError(f"a {type(strange[0]).__name__} stands where a name should")
      # dict.items: a pickle can put its own `items` into an OrderedDict's attributes.
      seen[id(value)] = {key: _arrays(item, storages, seen, depth + 1) for key, item in dict.items(value)}
    elif isinstance(value, (list, tuple)):
      seen[id(value)] = type(value)([_arrays(item, storages, seen, depth + 1) for item in value])
    else:
      raise pickle.UnpicklingError(f"a {type(value).__name__} stands where a tensor, a number or a text should")
  return seen[id(value)]


def _array(tensor, data):
  _, offset, shape, strides = tensor
  last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
  if math.prod(shape) > data.size or (math.prod(shape) and last >= data.size):
    raise pickle.UnpicklingError(
      f"a tensor of shape {shape}, strides {strides} and offset {offset} reaches outside storage "
      f"{tensor.storage.key!r:.80}, which holds {data.size} elements"
    )
  if not math.prod(shape):
    # Sides of a tensor without elements may be of any length, and cost nothing.
    array = np.zeros(shape, data.dtype)
  else:
    steps = [stride * data.itemsize for stride in strides]
    array = np.lib.stride_tricks.as_strided(data[offset:], shape, steps, writeable=False)  # no copy: files are large
  if tensor.storage.kind == "BFloat16Storage":
    array = (array.astype(np.uint32) << 16).view(np.float32)
  return array
