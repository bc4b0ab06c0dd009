"""The pickle inside a PyTorch file: an unpickler that knows tensors, numbers, text and containers, and nothing else."""

import collections
import os
import pickle
import reprlib
import typing
from typing import NamedTuple

_LINE = 1000  # bytes of a name

DTYPES = {
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
"""NumPy types by the names of PyTorch's storages."""


class Storage(NamedTuple):
  """Numbers in a file, as a pickle names them."""

  key: str
  kind: str  # a key of DTYPES
  numel: int


class Tensor(NamedTuple):
  """A view of a storage."""

  storage: Storage
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
    if not isinstance(storage, Storage) or not (whole((offset,)) and whole(shape) and whole(strides)):
      words = f"shape {reprlib.repr(shape)}, strides {reprlib.repr(strides)} and offset {reprlib.repr(offset)}"
      raise pickle.UnpicklingError(f"a tensor of {words}")
    if len(shape) > 32 or len(shape) != len(strides):
      raise pickle.UnpicklingError(f"a tensor with {len(shape)} dimensions and {len(strides)} strides")
    return Tensor(storage, offset, shape, strides)


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
} | {("torch", kind): kind for kind in DTYPES}


_OPCODES = (
  "PROTO FRAME STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 DICT LIST APPEND APPENDS SETITEM "
  "SETITEMS NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINSTRING "
  "SHORT_BINSTRING GLOBAL STACK_GLOBAL BINPERSID REDUCE BUILD BINGET LONG_BINGET BINPUT LONG_BINPUT MEMOIZE"
)
"""What torch.save writes. DUP and the rest, with which few bytes can unfold to many, are refused."""


class Unpickler(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
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
    """Refuses keys that are no names."""
    _check_key(self.stack[-2])
    super().load_setitem()

  def load_setitems(self):
    """Refuses keys that are no names."""
    for key in self.stack[::2]:
      _check_key(key)
    super().load_setitems()

  def load_dict(self):
    """Refuses keys that are no names."""
    for key in self.stack[::2]:
      _check_key(key)
    super().load_dict()

  dispatch[pickle.SETITEM[0]] = load_setitem
  dispatch[pickle.SETITEMS[0]] = load_setitems
  dispatch[pickle.DICT[0]] = load_dict

  def find_class(self, module, name):
    """What stands in for a name; raises UnpicklingError for all that are not in _GLOBALS."""
    if (module, name) not in _GLOBALS:
      raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed and was not imported")
    return _GLOBALS[module, name]

  def persistent_load(self, pid):
    """The Storage that an identifier describes; raises UnpicklingError for what describes none."""
    if not (isinstance(pid, tuple) and len(pid) in (5, 6) and isinstance(pid[0], str) and pid[0] == "storage"):
      raise pickle.UnpicklingError(f"it refers to {reprlib.repr(pid)}, which is no storage")
    _, kind, key, _, numel, *view = pid
    named = isinstance(kind, str) and kind in DTYPES and isinstance(key, str)
    if not named or type(numel) is not int or not 0 <= numel < 2**48:
      words = f"storage {reprlib.repr(key)} of type {reprlib.repr(kind)} with {reprlib.repr(numel)} elements"
      raise pickle.UnpicklingError(words)
    if view and view[0] is not None:
      raise pickle.UnpicklingError(f"storage {key!r:.80} is a view of another, a form that ended with PyTorch 0.4")
    storage = Storage(key, kind, numel)
    if self.storages.setdefault(key, storage) != storage:
      raise pickle.UnpicklingError(f"storage {key!r:.80} is described in two ways")
    return storage
