"""The checksum of LevelDB and TensorFlow, CRC-32C, in NumPy: a gigabyte takes seconds."""

import numpy as np

_POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected
_LANES = 1 << 14  # rows of a piece whose checksums are computed side by side
_PIECE = 1 << 26  # bytes at a time


def _table():
  rest = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    rest = (rest >> 1) ^ np.where(rest & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
  return rest


_TABLE = _table()


def crc32c(data) -> int:
  """CRC-32C of `data`, anything with a buffer (RFC 3720, Appendix B.4)."""
  octets = np.frombuffer(data, np.uint8)
  value = np.array([0xFFFFFFFF], np.uint32)
  for start in range(0, len(octets), _PIECE):
    piece = octets[start : start + _PIECE]
    # Linear: what was there before moves on, and the piece adds what it gives by itself.
    value = _apply(_shift(len(piece)), value) ^ _from_zero(piece)
  return int(value[0]) ^ 0xFFFFFFFF


def _from_zero(octets):
  """The register after `octets` where it was 0 before them."""
  length = len(octets) // _LANES
  whole = np.ascontiguousarray(octets[: length * _LANES].reshape(_LANES, length).T)
  lanes, count, shift = np.zeros(_LANES, np.uint32), _LANES, _shift(length)
  for column in whole:
    lanes = (lanes >> 8) ^ _TABLE[(lanes ^ column) & 0xFF]
  while count > 1:
    lanes = _apply(shift, lanes[0::2]) ^ lanes[1::2]
    shift, count = _apply(shift, shift), count // 2
  value = int(lanes[0])
  for octet in octets[length * _LANES :].tolist():
    value = (value >> 8) ^ int(_TABLE[(value ^ octet) & 0xFF])
  return np.uint32(value)


def masked(value: int) -> int:
  """A checksum as it is stored beside data that may hold checksums itself (LevelDB, util/crc32c.h)."""
  return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _shift(count):
  """[32] uint32: what each bit of a checksum becomes when `count` bytes of 0 follow."""
  found = np.uint32(1) << np.arange(32, dtype=np.uint32)
  step = (found >> 8) ^ _TABLE[found & 0xFF]
  while count:
    if count & 1:
      found = _apply(step, found)
    step, count = _apply(step, step), count >> 1
  return found


def _apply(matrix, values):
  """The linear map `matrix`, one row for each bit, of `values` uint32 [N]."""
  result = np.zeros(values.shape, np.uint32)
  for bit in range(32):
    result ^= np.where((values >> np.uint32(bit)) & 1, matrix[bit], np.uint32(0))
  return result
