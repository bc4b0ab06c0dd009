"""PyTorch checkpoints as NumPy arrays, read without PyTorch and without running what the file says."""

import collections
import math
import os
import pathlib
import pickle
import reprlib
import typing
import zipfile
from typing import Any, NamedTuple

import numpy as np

from qm_vae.io.errors import InvalidFile

REMEDY = "expected tensors, numbers and text in dicts, as torch.save(model.state_dict(), path) writes them"

_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a file written before PyTorch 1.6
_VERSION = 1001  # its second
_LINE = 1000  # bytes of a name
_DEPTH = 100  # containers within containers

_DTYPES = {
  "FloatStorage": "<f4",
  "DoubleStorage": "<f8",
  "HalfStorage": "<f2",
  "BFloat16Storage": "<u2",  # widened to float32 in _array
  "LongStorage": "<i8",
  "IntStorage": "<i4",
  "ShortStorage": "<i2",
  "CharStorage": "i1",
  "ByteStorage": "u1",
  "BoolStorage": "?",
}


def load(path: str | os.PathLike, only: str | None = None) -> dict[Any, Any]:
  """What torch.save stored: dicts, lists and tuples as they were, every tensor a NumPy array.

  Reads the form that PyTorch 1.6 introduced (a zip archive) and the one before it. The pickle inside may name nothing
  but OrderedDict, tensors, parameters and storages, for which this file's own code stands in; whatever else it names is
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


class _Storage(NamedTuple):
  key: str
  kind: str  # a key of _DTYPES
  numel: int


class _Tensor(NamedTuple):
  storage: _Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]  # in elements


class _Bounded:
  """A file that gives no more bytes than it has: a length of gigabytes in a small file takes no memory."""

  def __init__(self, file):
    self._file, self.readline, self.readinto = file, self._line, None
    begin = file.tell()
    self._end = file.seek(0, os.SEEK_END)
    file.seek(begin)

  def read(self, count):
    if count > self._end - self._file.tell():
      raise EOFError("it ends early")
    return self._file.read(count)

  def _line(self):
    line = self._file.readline(_LINE)
    if not line.endswith(b"\n"):
      raise pickle.UnpicklingError("a name has no end")
    return line


def _check_key(key):
  if not isinstance(key, (str, int)):
    raise pickle.UnpicklingError(f"a {type(key).__name__} stands where a name should")


class _RebuildTensor:
  """Stands for torch._utils._rebuild_tensor and _rebuild_tensor_v2, whose further arguments are about gradients."""

  __slots__ = ()  # nothing that a pickle's BUILD could write to

  def __call__(self, storage, offset, shape, strides, *_):
    whole = lambda values: isinstance(values, tuple) and all(type(v) is int and v >= 0 for v in values)
    if not isinstance(storage, _Storage) or not (whole((offset,)) and whole(shape) and whole(strides)):
      words = f"shape {reprlib.repr(shape)}, strides {reprlib.repr(strides)} and offset {reprlib.repr(offset)}"
      raise pickle.UnpicklingError(f"a tensor of {words}")
    if len(shape) > 32 or len(shape) != len(strides):
      raise pickle.UnpicklingError(f"a tensor with {len(shape)} dimensions and {len(strides)} strides")
    return _Tensor(storage, offset, shape, strides)


class _RebuildParameter:
  """Stands for torch._utils._rebuild_parameter: a parameter is its tensor."""

  __slots__ = ()

  def __call__(self, tensor, *_):
    return tensor


_GLOBALS = {
  ("collections", "OrderedDict"): collections.OrderedDict,
  ("torch._utils", "_rebuild_tensor"): _RebuildTensor(),
  ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
  ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
} | {("torch", kind): kind for kind in _DTYPES}


_OPCODES = (
  "PROTO FRAME STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 DICT LIST APPEND APPENDS SETITEM "
  "SETITEMS NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINSTRING "
  "SHORT_BINSTRING GLOBAL STACK_GLOBAL BINPERSID REDUCE BUILD BINGET LONG_BINGET BINPUT LONG_BINPUT MEMOIZE"
)
"""What torch.save writes. DUP and the rest, with which few bytes can unfold to many, are refused."""


class _Unpickler(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
  """Finds only _GLOBALS; `storages` collects the storages that the pickle names.

  It is the unpickler in Python: the one in C gives memory to a memo of any size, and hashes keys of any depth.
  """

  dispatch: typing.ClassVar[dict] = {
    getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]  # pyright: ignore[reportAttributeAccessIssue]
    for name in _OPCODES.split()
  }

  def __init__(self, file):
    super().__init__(_Bounded(file), encoding="utf-8")
    self.storages = {}

  def load_setitem(self):
    _check_key(self.stack[-2])
    super().load_setitem()

  def load_setitems(self):
    for key in self.stack[::2]:
      _check_key(key)
    super().load_setitems()

  def load_dict(self):
    for key in self.stack[::2]:
      _check_key(key)
    super().load_dict()

  dispatch[pickle.SETITEM[0]] = load_setitem
  dispatch[pickle.SETITEMS[0]] = load_setitems
  dispatch[pickle.DICT[0]] = load_dict

  def find_class(self, module, name):
    if (module, name) not in _GLOBALS:
      raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed and was not imported")
    return _GLOBALS[module, name]

  def persistent_load(self, pid):
    if not (isinstance(pid, tuple) and len(pid) in (5, 6) and isinstance(pid[0], str) and pid[0] == "storage"):
      raise pickle.UnpicklingError(f"it refers to {reprlib.repr(pid)}, which is no storage")
    _, kind, key, _, numel, *view = pid
    named = isinstance(kind, str) and kind in _DTYPES and isinstance(key, str)
    if not named or type(numel) is not int or not 0 <= numel < 2**48:
      words = f"storage {reprlib.repr(key)} of type {reprlib.repr(kind)} with {reprlib.repr(numel)} elements"
      raise pickle.UnpicklingError(words)
    if view and view[0] is not None:
      raise pickle.UnpicklingError(f"storage {key!r:.80} is a view of another, a form that ended with PyTorch 0.4")
    storage = _Storage(key, kind, numel)
    if self.storages.setdefault(key, storage) != storage:
      raise pickle.UnpicklingError(f"storage {key!r:.80} is described in two ways")
    return storage


def _wanted(tree, only):
  """(the part of the tree that is asked for, the keys of the storages that its tensors use)."""
  if not isinstance(tree, dict):
    raise pickle.UnpicklingError(f"it holds {type(tree).__name__}, not a dict")
  if only is not None and dict.__contains__(tree, only):
    tree = {only: dict.__getitem__(tree, only)}
  keys, left, seen = set(), [tree], set()
  while left:
    value = left.pop()
    if isinstance(value, _Tensor):
      keys.add(value.storage.key)
    elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
      seen.add(id(value))
      left += dict.values(value) if isinstance(value, dict) else value
  return tree, keys


def _read_legacy(file, only):
  if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _VERSION:
    raise pickle.UnpicklingError("it does not begin as a PyTorch checkpoint does")
  _check_order(_Unpickler(file).load()["little_endian"])
  unpickler = _Unpickler(file)
  tree = unpickler.load()
  tree, wanted = _wanted(tree, only)
  keys = _Unpickler(file).load()
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
    size = storage.numel * np.dtype(_DTYPES[storage.kind]).itemsize
    _check_size(storage, size, os.fstat(file.fileno()).st_size - file.tell())
    if key in wanted:
      storages[key] = np.frombuffer(file.read(size), _DTYPES[storage.kind])
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
      unpickler = _Unpickler(stream)
      tree, wanted = _wanted(unpickler.load(), only)
    storages = {}
    for key in wanted:
      storage = unpickler.storages[key]
      name = f"{root}data/{key}"
      if name not in entries:
        raise pickle.UnpicklingError(f"its entry {name!r:.80} is missing")
      size = storage.numel * np.dtype(_DTYPES[storage.kind]).itemsize
      _check_size(storage, size, entries[name].file_size)
      storages[key] = np.frombuffer(archive.read(name), _DTYPES[storage.kind], storage.numel)
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
    if isinstance(value, _Storage):
      raise pickle.UnpicklingError(f"storage {value.key!r:.80} stands outside a tensor")
    elif isinstance(value, _Tensor):
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
