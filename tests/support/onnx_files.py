"""ONNX files made by hand: the few fields of the protocol buffer that small graphs need."""

import numpy as np


def field(number, value):
  """One field of a protocol buffer."""
  if isinstance(value, int):
    return varint(number << 3) + varint(value)
  value = value.encode() if isinstance(value, str) else value
  return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
  low, value = value & 127, value >> 7
  return bytes([low | 128]) + varint(value) if value else bytes([low])


def tensor(name, shape):
  return field(1, name) + field(2, field(1, field(1, 1) + field(2, b"".join(field(1, field(1, n)) for n in shape))))


def constant(name, values):
  values = np.asarray(values, np.float32)
  message = b"".join(field(1, n) for n in values.shape) + field(2, 1) + field(8, name) + field(9, values.tobytes())
  return field(5, message)


def node(kind, inputs, output):
  return field(1, b"".join(field(1, one) for one in inputs) + field(2, output) + field(4, kind))


def write(path, inputs, graph, outputs, **metadata):
  """An ONNX file; `metadata` are its words about itself."""
  graph += field(2, "g") + b"".join(field(11, tensor(*one)) for one in inputs)
  graph += b"".join(field(12, tensor(*one)) for one in outputs)
  words = b"".join(field(14, field(1, key) + field(2, value)) for key, value in metadata.items())
  path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 17)) + words)
  return path


def integers(name, values):
  """A constant of int64 [N]."""
  values = np.asarray(values, np.int64)
  return field(5, field(1, len(values)) + field(2, 7) + field(8, name) + field(9, values.tobytes()))
