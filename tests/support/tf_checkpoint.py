"""TensorFlow checkpoints written by hand, sharing no code with the reader."""

import struct

import numpy as np

MAGIC = 0xDB4775248B80FB57


def _slow_table():
  rows = []
  for octet in range(256):
    for _ in range(8):
      octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
    rows.append(octet)
  return rows


_ROWS = _slow_table()


def slow_crc32c(data):
  """CRC-32C, byte by byte."""
  value = 0xFFFFFFFF
  for octet in bytes(data):
    value = value >> 8 ^ _ROWS[(value ^ octet) & 255]
  return value ^ 0xFFFFFFFF


def masked_crc(data):
  value = slow_crc32c(data)
  return ((value >> 15 | value << 17) + 0xA282EAD8) % 2**32


def varint(value):
  found = bytearray()
  while value >= 128:
    found.append(value % 128 + 128)
    value //= 128
  return bytes([*found, value])


def field(number, value):
  """A field of a protocol buffer: an integer, or bytes."""
  if isinstance(value, bytes):
    return varint(number * 8 + 2) + varint(len(value)) + value
  return varint(number * 8) + varint(value)


def entry(shape, shard, offset, size, crc, dtype=1):
  """BundleEntryProto."""
  dims = b"".join(field(2, field(1, side)) for side in shape)
  numbers = field(3, shard) + field(4, offset) + field(5, size)
  return field(1, dtype) + field(2, dims) + numbers + varint(6 * 8 + 5) + struct.pack("<I", crc)


def block(pairs, restart_every=16):
  """A LevelDB block with its trailer; keys share what begins alike."""
  data, restarts, before = b"", [], b""
  for i, (key, value) in enumerate(pairs):
    shared = 0
    if i % restart_every == 0:
      restarts.append(len(data))
    else:
      while shared < min(len(key), len(before)) and key[shared] == before[shared]:
        shared += 1
    data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
    before = key
  data += b"".join(struct.pack("<I", at) for at in restarts or [0]) + struct.pack("<I", len(restarts or [0]))
  return data + b"\0" + struct.pack("<I", masked_crc(data + b"\0"))


def table(pairs, per_block=20):
  """A whole LevelDB table of sorted (key, value) pairs."""
  data, handles = b"", []
  for start in range(0, len(pairs), per_block):
    some = pairs[start : start + per_block]
    one = block(some)
    handles.append((some[-1][0], varint(len(data)) + varint(len(one) - 5)))
    data += one
  meta = varint(len(data)) + varint(len(block([])) - 5)
  data += block([])
  index = block(handles, restart_every=1)
  ends = meta + varint(len(data)) + varint(len(index) - 5)
  return data + index + ends.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def write(prefix, tensors, *, shards=1, change=lambda pairs: pairs):
  """NAME.index and NAME.data-...: `tensors` {name: array}; `change` may alter the index's pairs."""
  data = [b""] * shards
  pairs = [(b"", field(1, shards) + field(3, field(1, 1)))]
  for i, name in enumerate(sorted(tensors)):
    raw = np.ascontiguousarray(tensors[name]).tobytes()
    shard = i % shards
    kind = {"float32": 1, "int64": 9}[str(tensors[name].dtype)]
    pairs.append((name.encode(), entry(tensors[name].shape, shard, len(data[shard]), len(raw), masked_crc(raw), kind)))
    data[shard] += raw
  prefix.with_name(f"{prefix.name}.index").write_bytes(table(change(pairs)))
  for shard, raw in enumerate(data):
    prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(raw)
