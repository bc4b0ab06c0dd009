"""What OUT.json may hold besides the frames of a video, and what is refused: it is read as a file of any origin."""

import pathlib
import reprlib
from collections.abc import Mapping
from typing import Any

from qm_vae.errors import InvalidFile
from qm_vae.options import FLAG, TEXT, Rule, between, integer, is_number

_REMEDY = "give OUT.json as python -m qm_vae.deidentify wrote it, or protect the file again"
_FARTHEST = 10**6  # pixels
_LETTERS = 100_000  # of a text

_OBJECT = Rule(lambda value: isinstance(value, Mapping), "an object")
_LIST = Rule(lambda value: isinstance(value, list), "a list")
_SHORT = Rule(lambda value: TEXT.holds(value) and len(value) < _LETTERS, f"a text of at most {_LETTERS} characters")
_TEXTS = Rule(lambda value: isinstance(value, list) and all(map(_SHORT.holds, value)), "a list of texts")
_SECONDS = between(0, 10**9)

_HEAD = {
  "source": _OBJECT,
  "source.name": _SHORT,
  "source.sha256": _SHORT,
  "source.rate": between(1e-6, 10**6),
  "finding": _OBJECT,
  "finding.start": _SECONDS,
  "finding.end": _SECONDS,
  "detector": _OBJECT,
  "detector.threshold": between(0, 1),
  "method": _OBJECT,
  "method.name": _SHORT,
  "method.margin": between(-1, 10),
  "method.feather": between(0, 1),
  "method.shape": _SHORT,
  "review": _OBJECT,
  "review.decisions": _LIST,
  "command": _SHORT,
  "notes": _TEXTS,
  "failures": _TEXTS,
  "tracks": _LIST,
}
_SIZE = {"source.width": integer(1, 2**16), "source.height": integer(1, 2**16)}
_HEAD |= _SIZE
_PICTURE = {"file": _SHORT, "source": _OBJECT, "source.sha256": _SHORT, "notes": _TEXTS, "failures": _TEXTS}
_FACE = {"how": _SHORT, "track": integer(0, 2**31 - 1)}
_SEEN = {"hidden": FLAG, "score": between(0, 1)}


def check_head(path: pathlib.Path, head: Mapping[str, Any]) -> None:
  """Returns when every key that is known holds what it may; one that is missing, or null, is none.

  Raises:
    InvalidFile: naming the first that does not.
  """
  _check(path, "", head, _HEAD)


def check_size(path: pathlib.Path, head: Mapping[str, Any]) -> None:
  """Returns when the size of a video's pictures is known.

  Raises:
    InvalidFile: as `check_head`.
  """
  _check(path, "", head, _SIZE, required=True)


def check_coverage(path: pathlib.Path, head: Mapping[str, Any]) -> None:
  """Returns when it is known what was hidden, how, and from when to when.

  Raises:
    InvalidFile: as `check_head`.
  """
  needed = ("source.sha256", "finding.start", "method.margin", "method.feather", "method.shape")
  _check(path, "", head, {key: _HEAD[key] for key in needed}, required=True)


def check_pictures(path: pathlib.Path, content: Mapping[str, Any]) -> None:
  """`check_head`, and the rows of a folder's files, or the faces of one picture.

  Raises:
    InvalidFile: as `check_head`.
  """
  check_head(path, content)
  rows = content.get("files")
  if rows is None:
    _check_faces(path, "", content)
    return
  if not isinstance(rows, list):
    raise InvalidFile(path, f"has files {reprlib.repr(rows)}", "a list", _REMEDY)
  for number, row in enumerate(rows):
    where = f"files[{number}]."
    if not isinstance(row, Mapping):
      raise InvalidFile(path, f"has {where[:-1]} {reprlib.repr(row)}", "an object", _REMEDY)
    _check(path, where, row, _PICTURE)
    _check_faces(path, where, row)


def is_box(value: Any) -> bool:
  """Whether a value is [x, y, width, height], finite and not beyond any picture."""
  return (
    isinstance(value, list)
    and len(value) == 4
    and all(is_number(one) and abs(one) < _FARTHEST for one in value)  # NaN is not below either
  )


def _check_faces(path, where, row):
  faces = row.get("faces")
  if faces is None:
    return
  well = isinstance(faces, list) and all(isinstance(face, Mapping) and is_box(face.get("box")) for face in faces)
  if not well:
    raise InvalidFile(path, f"has {where}faces {reprlib.repr(faces)}", "a list of objects with a box", _REMEDY)
  for number, face in enumerate(faces):
    _check(path, f"{where}faces[{number}].", face, _FACE)
    _check(path, f"{where}faces[{number}].", face, _SEEN, required=True)


def _check(path, where, content, rules, *, required=False):
  for key, rule in rules.items():
    value: Any = content
    for part in key.split("."):
      value = value.get(part) if isinstance(value, Mapping) else None
    if not rule.holds(value) if required or value is not None else False:
      raise InvalidFile(path, f"has {where}{key} {reprlib.repr(value)}", rule.allowed, _REMEDY)
