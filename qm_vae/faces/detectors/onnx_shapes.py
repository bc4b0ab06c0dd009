"""ONNX files whose images have one fixed size, made to take any; the file's protocol buffer is edited, never run."""

from collections.abc import Iterator

from qm_vae.errors import InputError

_GRAPH, _NAME, _INPUT, _OUTPUT, _INFERRED, _INITIALIZER = 7, 1, 11, 12, 13, 5
_TENSOR_NAME, _TYPE, _TENSOR_TYPE, _SHAPE, _DIM, _DIM_NAME = 8, 2, 1, 2, 1, 2


def free(model: bytes) -> bytes:
  """The model with batch, height and width of its image input free, and without the shapes that follow from them.

  Args:
    model: an ONNX file's bytes whose one image input is [B, C, H, W].

  Raises:
    ValueError: for bytes that are no protocol buffer.
  """
  return b"".join(_field(number, _graph(value) if number == _GRAPH else value) for number, value in _fields(model))


def _graph(graph):
  fields = list(_fields(graph))
  constants = {_first(value, _TENSOR_NAME) for number, value in fields if number == _INITIALIZER}
  kept = []
  for number, value in fields:
    if number == _INFERRED:
      continue
    if number == _OUTPUT:
      value = _reshaped(value, lambda shape: None)
    elif number == _INPUT and _first(value, _NAME) not in constants:
      value = _reshaped(value, _free_image)
    kept.append(_field(number, value))
  return b"".join(kept)


def _reshaped(info, change):
  """A ValueInfo with its tensor's shape changed; None leaves it out."""
  return _edit(info, _TYPE, lambda kind: _edit(kind, _TENSOR_TYPE, lambda tensor: _edit(tensor, _SHAPE, change)))


def _free_image(shape):
  names = {0: b"B", 2: b"H", 3: b"W"}
  sides = [value for number, value in _fields(shape) if number == _DIM]
  return b"".join(
    _field(_DIM, _field(_DIM_NAME, names[i]) if i in names and len(sides) == 4 else side)
    for i, side in enumerate(sides)
  )


def _edit(message, wanted, change):
  made = []
  for number, value in _fields(message):
    value = change(value) if number == wanted else value
    if value is not None:
      made.append(_field(number, value))
  return b"".join(made)


def _first(message, wanted):
  return next((value for number, value in _fields(message) if number == wanted), None)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int | tuple[int, bytes]]]:
  """(number, value): an int for a varint, bytes for what has a length, (wire type, bytes) for what has a fixed size."""
  at = 0
  while at < len(message):
    tag, at = _read_varint(message, at)
    number, wire = tag >> 3, tag & 7
    if wire == 0:
      value, at = _read_varint(message, at)
    elif wire == 2:
      length, at = _read_varint(message, at)
      value, at = message[at : at + length], at + length
    elif wire in (1, 5):
      length = 8 if wire == 1 else 4
      value, at = (wire, message[at : at + length]), at + length
    else:
      raise InputError(f"no protocol buffer: wire type {wire} at byte {at}")
    if at > len(message):
      raise InputError("no protocol buffer, or a truncated one")
    yield number, value


def _read_varint(message, at):
  value = shift = 0
  while True:
    if at >= len(message) or shift > 63:
      raise InputError("no protocol buffer, or a truncated one")
    byte = message[at]
    value |= (byte & 127) << shift
    at, shift = at + 1, shift + 7
    if byte < 128:
      return value, at


def _varint(value):
  made = bytearray()
  while value > 127:
    made.append(value & 127 | 128)
    value >>= 7
  return bytes([*made, value])


def _field(number, value):
  if isinstance(value, int):
    return _varint(number << 3) + _varint(value)
  if isinstance(value, tuple):
    return _varint(number << 3 | value[0]) + value[1]
  return _varint(number << 3 | 2) + _varint(len(value)) + value
