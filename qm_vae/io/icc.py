"""Colour profiles (ICC.1) made anew from their numbers alone: whatever else lies in a profile could be a picture."""

import io
import struct

import numpy as np
from PIL import Image, ImageCms

from qm_vae.errors import InputError

_HEAD, _ENTRY = 128, 12  # bytes
_MOST = 4 * 2**20  # bytes of a profile
_CURVES, _COLUMNS = (b"rTRC", b"gTRC", b"bTRC"), (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt")
_PARAMETERS = (1, 3, 4, 5, 7)  # of a parametric curve, by its kind
_TABLES = (b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2")
_NAME = b"colours of the original"


class Unusable(InputError):
  """A profile that is damaged, or of another kind than can be made anew."""


def rebuilt(profile: bytes) -> bytes:
  """An RGB profile of the same primaries, white and curves, which holds nothing else of the original's bytes.

  Args:
    profile: of three primaries and three curves (ICC.1:2022, 8.3.3), with 1 to 4,096 steps each.

  Raises:
    Unusable: for any other, and for curves that fall, as no camera's do but pictures hidden in them.
  """
  tags = _tags(profile)
  if profile[16:20] != b"RGB " or profile[20:24] != b"XYZ ":
    raise Unusable("it is no profile of RGB colours")
  if any(tag in tags for tag in _TABLES):
    raise Unusable("it holds tables")
  numbers = {tag: _xyz(tags.get(tag, b"")) for tag in _COLUMNS}
  numbers |= {tag: _curve(tags.get(tag, b"")) for tag in _CURVES}
  if b"chad" in tags:
    numbers[b"chad"] = _matrix(tags[b"chad"])
  return _profile(numbers, 4 if profile[8] >= 4 else 2)


def to_srgb(image: np.ndarray, profile: bytes) -> np.ndarray:
  """A picture whose colours a profile tells in sRGB, for profiles that cannot be made anew.

  Args:
    image: uint8 [H, W, 3] RGB.
    profile: of RGB colours.

  Returns:
    uint8 [H, W, 3].

  Raises:
    Unusable: for a profile that is damaged, or of other colours.
  """
  if len(profile) > _MOST or profile[16:20] != b"RGB ":
    raise Unusable("it is no profile of RGB colours")
  try:
    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(Image.fromarray(image), given, ImageCms.createProfile("sRGB"))
  except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
    raise Unusable(f"it is damaged ({error})") from error
  return np.asarray(made)


def _tags(profile):
  """The bytes of every tag, by its signature."""
  if not _HEAD + 4 <= len(profile) <= _MOST or profile[36:40] != b"acsp":
    raise Unusable("it is damaged")
  (count,) = struct.unpack_from(">I", profile, _HEAD)
  if _HEAD + 4 + count * _ENTRY > len(profile):
    raise Unusable("it is damaged")
  entries = (struct.unpack_from(">4sII", profile, _HEAD + 4 + i * _ENTRY) for i in range(count))
  return {name: profile[start : start + size] for name, start, size in entries}


def _xyz(data):
  if len(data) < 20 or data[:4] != b"XYZ ":
    raise Unusable("a primary is missing")
  return b"XYZ \0\0\0\0" + data[8:20]


def _matrix(data):
  if len(data) < 44 or data[:4] != b"sf32":
    raise Unusable("its adaptation is damaged")
  return b"sf32\0\0\0\0" + data[8:44]


def _curve(data):
  if data[:4] == b"para" and len(data) >= 12:
    (kind,) = struct.unpack_from(">H", data, 8)
    if kind < len(_PARAMETERS) and len(data) >= (end := 12 + 4 * _PARAMETERS[kind]):
      return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + data[12:end]
  if data[:4] == b"curv" and len(data) >= 12:
    (count,) = struct.unpack_from(">I", data, 8)
    if count <= 4096 and len(data) >= 12 + 2 * count:
      steps = np.frombuffer(data, ">u2", count, 12)
      if (np.diff(steps.astype(int)) < 0).any():
        raise Unusable("a curve falls")
      return b"curv\0\0\0\0" + struct.pack(">I", count) + steps.tobytes()
  raise Unusable("a curve is missing or damaged")


def _profile(numbers, version):
  """The file: a head without a maker, a date or a device, then the tags."""
  if version == 4:
    wide = _NAME.decode().encode("utf-16-be")
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(wide), 28) + wide
    words = {b"desc": text, b"cprt": text}
  else:
    name = _NAME + b"\0"
    words = {
      b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(4 + 4 + 2 + 1 + 67),
      b"cprt": b"text\0\0\0\0" + name,
    }
  tags = words | numbers
  entries, body, start = b"", b"", _HEAD + 4 + len(tags) * _ENTRY
  for name, data in tags.items():
    entries += struct.pack(">4sII", name, start + len(body), len(data))
    body += data + bytes(-len(data) % 4)
  white = struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)  # D50, the white of all profiles
  head = struct.pack(">I4s4s4s4s4s12s4s", start + len(body), b"", bytes([version, 0x20 if version == 2 else 0, 0, 0]),
                     b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")  # fmt: skip
  head = (head + bytes(68 - len(head)) + white).ljust(_HEAD, b"\0")
  return head + struct.pack(">I", len(tags)) + entries + body
