"""TensorFlow checkpoints of the second version as NumPy arrays, read without TensorFlow: an index and data shards.

The index is a table of LevelDB whose values are protocol buffers; each says where in which shard a tensor's bytes are.
Nothing in them is executed; offsets, sizes and checksums are checked before an array is made.

Source: tensorflow/core/util/tensor_bundle and tensorflow/core/protobuf/tensor_bundle.proto for the form; LevelDB's
doc/table_format.md.
"""

import math
import os
import pathlib
from typing import NamedTuple

import numpy as np

from qm_vae.convert.crc32c import crc32c, masked
from qm_vae.errors import InputError

REMEDY = "expected NAME.index and NAME.data-00000-of-00001, as tf.train.Saver writes them"

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes
_TRAILER = 5  # bytes after a block: its compression and its checksum
_INDEX_LIMIT = 64 << 20  # bytes; a network of hundreds of tensors takes tens of thousands
_FLOAT = 1  # DT_FLOAT


class Entry(NamedTuple):
  """Where one tensor is."""

  dtype: int  # of TensorFlow's enumeration
  shape: tuple[int, ...]
  shard: int
  offset: int  # bytes
  size: int  # bytes
  crc: int  # masked


class Bundle(NamedTuple):
  """An opened checkpoint."""

  prefix: pathlib.Path  # the path without .index
  shards: int
  entries: dict[str, Entry]

  def read(self, name: str) -> np.ndarray:
    """float32 array of one tensor; only its own bytes are read.

    Raises:
      ValueError: naming the file and the tensor, where there is none, it is of another type, or damaged.
    """
    if name not in self.entries:
      raise InputError(f"{self.prefix} holds no tensor called {name}; {_some(self.entries)}")
    entry = self.entries[name]
    path = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}")
    if entry.dtype != _FLOAT or entry.size != 4 * math.prod(entry.shape):
      raise InputError(
        f"{path}: {name} has type {entry.dtype}, shape {list(entry.shape)} and {entry.size} bytes; expected float32"
      )
    if not path.is_file():
      raise InputError(f"{path} is no file; bring it beside the index")
    with path.open("rb") as file:
      length = os.fstat(file.fileno()).st_size
      if entry.offset + entry.size > length:
        raise InputError(
          f"{path}: {name} should end at byte {entry.offset + entry.size}, the file has {length}: truncated; {REMEDY}"
        )
      file.seek(entry.offset)
      array = np.fromfile(file, "<f4", entry.size // 4)
    if masked(crc32c(array)) != entry.crc:
      raise InputError(f"{path}: the checksum of {name} does not fit its bytes; the file is damaged, download it again")
    return array.reshape(entry.shape)


def open_bundle(path: str | os.PathLike) -> Bundle:
  """The checkpoint at `path`: its index file, the same without .index, or a folder that holds just one.

  Raises:
    ValueError: naming the file, what is wrong with it, and what was expected.
  """
  index = _index(pathlib.Path(path))
  prefix = index.with_name(index.name.removesuffix(".index"))
  size = index.stat().st_size
  if not _FOOTER <= size <= _INDEX_LIMIT:
    raise InputError(f"{index} has {size} bytes; an index has {_FOOTER} to {_INDEX_LIMIT}; {REMEDY}")
  try:
    pairs = _table(index.read_bytes())
    header = _Message(pairs.pop(b"", b""))
    shards, big = header.integer(1), header.integer(2)
    if big or not 1 <= shards <= 99999:
      raise InputError(f"its header speaks of {shards} shards and byte order {big}; expected one or more, and 0")
    entries = {key.decode(): _entry(value, shards) for key, value in pairs.items()}
  except (ValueError, IndexError) as error:
    raise InputError(f"{index} cannot be read ({error}); {REMEDY}") from error
  return Bundle(prefix, shards, entries)


def _index(path):
  if path.is_dir():
    found = sorted(path.glob("*.index"))
    if len(found) != 1:
      raise InputError(f"{path} holds {len(found)} files NAME.index; give one of them, or a folder with one")
    return found[0]
  named = path if path.name.endswith(".index") else path.with_name(f"{path.name}.index")
  if not named.is_file():
    raise InputError(f"{named} is no file; {REMEDY}")
  return named


def _table(data):
  """{key: value} of a whole LevelDB table."""
  footer = data[-_FOOTER:]
  if int.from_bytes(footer[40:], "little") != _MAGIC:
    raise InputError("it does not end as a table does")
  _, _, at = _handle(footer, 0)
  offset, size, _ = _handle(footer, at)
  pairs = {}
  for _, value in _block(data, offset, size):
    offset, size, _ = _handle(value, 0)
    for key, found in _block(data, offset, size):
      if key in pairs:
        raise InputError(f"it lists {key!r:.80} twice")
      pairs[key] = found
  return pairs


def _handle(data, at):
  """(offset, size, where it ends) of a block."""
  offset, at = _varint(data, at)
  size, at = _varint(data, at)
  return offset, size, at


def _block(data, offset, size):
  """(key, value) by (key, value): a key repeats the beginning of the one before."""
  end = offset + size
  if end + _TRAILER > len(data) - _FOOTER or size < 4:
    raise InputError(f"a block of {size} bytes at {offset} reaches outside")
  if data[end]:
    raise InputError(f"a block is compressed (type {data[end]}), which checkpoints are not")
  if masked(crc32c(data[offset : end + 1])) != int.from_bytes(data[end + 1 : end + _TRAILER], "little"):
    raise InputError(f"the checksum of the block at {offset} does not fit: damaged")
  block = data[offset:end]
  limit = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")  # the restarts come last
  if limit < 0:
    raise InputError(f"the block at {offset} claims more restarts than it holds")
  at, key = 0, b""
  while at < limit:
    shared, at = _varint(block, at)
    own, at = _varint(block, at)
    length, at = _varint(block, at)
    if shared > len(key) or at + own + length > limit:
      raise InputError(f"an entry of the block at {offset} reaches outside")
    key = key[:shared] + block[at : at + own]
    yield key, block[at + own : at + own + length]
    at += own + length


def _varint(data, at):
  """(value, where it ends) of an integer of seven bits a byte."""
  value = 0
  for shift in range(0, 70, 7):
    octet = data[at]
    at += 1
    value |= (octet & 0x7F) << shift
    if octet < 0x80:
      return value, at
  raise InputError("an integer is longer than ten bytes")


class _Message:
  """The fields of a protocol buffer."""

  def __init__(self, data):
    self.fields: dict[int, list] = {}
    at = 0
    while at < len(data):
      tag, at = _varint(data, at)
      kind = tag & 7
      if kind == 0:
        value, at = _varint(data, at)
      elif kind in (1, 2, 5):
        length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if at + length > len(data):
          raise InputError("a field of a message reaches outside")
        value, at = data[at : at + length], at + length
        value = value if kind == 2 else int.from_bytes(value, "little")
      else:
        raise InputError(f"a message has a field of kind {kind}")
      self.fields.setdefault(tag >> 3, []).append(value)

  def integer(self, number):
    value = self.fields.get(number, [0])[-1]
    if not isinstance(value, int):
      raise InputError(f"field {number} of a message is no number")
    return value

  def messages(self, number):
    found = self.fields.get(number, [])
    if not all(isinstance(value, bytes) for value in found):
      raise InputError(f"field {number} of a message is no message")
    return [_Message(value) for value in found]


def _entry(value, shards):
  message = _Message(value)
  if 7 in message.fields:
    raise InputError("a tensor is stored in slices, a form that is not read here")
  shape = tuple(dim.integer(1) for one in message.messages(2) for dim in one.messages(2))
  entry = Entry(message.integer(1), shape, *(message.integer(number) for number in (3, 4, 5, 6)))
  if entry.shard >= shards or max((entry.offset, entry.size, *shape), default=0) >= 1 << 62:
    raise InputError(f"a tensor of shape {list(shape)} is said to be at {entry.offset} of shard {entry.shard}")
  return entry


def _some(names):
  return f"it holds {', '.join(sorted(names)[:3])} and so on" if names else "it holds none"
