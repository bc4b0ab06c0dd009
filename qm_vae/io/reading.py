"""Text, JSON, tables and arrays from files of any origin, within limits, with one error that names the file."""

import csv
import json
import math
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from qm_vae.errors import InvalidFile

TEXT_BYTES = 256 * 2**20
"""A text, a table, a JSON file, at most."""

NESTING = 50
"""Objects within objects of a JSON file, at most."""

ARRAY_BYTES = 16 * 2**30
"""All arrays of one .npz, unfolded, at most; a caller that knows better asks for less."""

ARRAYS = 20_000
"""Arrays in one .npz, at most."""

CELL = 2**20
"""Characters in one cell of a table, at most."""


def read_text(path: str | os.PathLike, *, most: int = TEXT_BYTES, remedy: str = "") -> str:
  """The UTF-8 text in a file, without a byte order mark.

  Args:
    path: the file.
    most: bytes that it may have.
    remedy: what the error advises.

  Raises:
    InvalidFile: for one that is missing, too long, or not UTF-8.
  """
  path = pathlib.Path(path)
  try:
    size = path.stat().st_size
    if size > most:
      raise InvalidFile(path, f"has {size} bytes", f"at most {most}", remedy)
    content = path.read_bytes()
  except FileNotFoundError:
    raise InvalidFile(path, "does not exist", remedy=remedy) from None
  except OSError as error:
    raise InvalidFile(path, f"cannot be read: {error.strerror}", remedy=remedy) from error
  try:
    return content.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    raise InvalidFile(path, f"is no UTF-8 text (byte {error.start})", "a text in UTF-8", remedy) from None


def read_json(path: str | os.PathLike, kind: type = dict, *, most: int = TEXT_BYTES, remedy: str = "") -> Any:
  """What a JSON file holds, an object unless `kind` says otherwise.

  Raises:
    InvalidFile: for a file that `read_text` refuses, that is no JSON, nests too deep, or holds something else.
  """
  found = parse_json(path, read_text(path, most=most, remedy=remedy), remedy=remedy)
  if not isinstance(found, kind):
    words = {dict: "an object", list: "a list"}[kind]
    raise InvalidFile(path, f"holds {_name(found)}", words, remedy)
  return found


def parse_json(path: str | os.PathLike, text: str | bytes, *, remedy: str = "") -> Any:
  """The value of a JSON text; `path` says where it came from.

  Raises:
    InvalidFile: for what is no JSON, or nests deeper than NESTING.
  """
  try:
    found = json.loads(text)
  except (ValueError, RecursionError) as error:  # too many digits of an integer are a ValueError as well
    reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)[:100]
    raise InvalidFile(path, f"is not valid JSON ({reason})", remedy=remedy) from None
  if _depth(found) > NESTING:
    raise InvalidFile(path, "nests too deep", f"at most {NESTING} levels of JSON", remedy)
  return found


def read_table(
  path: str | os.PathLike, *, most: int = TEXT_BYTES, remedy: str = "save it as comma-separated values in UTF-8"
) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """(header, [(number of the line, cells)]) of a CSV; empty lines are left out, cells keep their spaces.

  Raises:
    InvalidFile: for a file that `read_text` refuses, or that is no CSV.
  """
  text = read_text(path, most=most, remedy=remedy)
  limit = csv.field_size_limit(CELL)
  try:
    reader = csv.reader(text.splitlines(keepends=True))
    rows = [(reader.line_num, row) for row in reader if row]
  except csv.Error as error:
    raise InvalidFile(path, f"is no CSV ({error})", remedy=remedy) from None
  finally:
    csv.field_size_limit(limit)
  return ([name.strip() for name in rows[0][1]], rows[1:]) if rows else ([], [])


def read_arrays(path: str | os.PathLike, *, most: int = ARRAY_BYTES, remedy: str = "") -> dict[str, np.ndarray]:
  """The arrays of an .npz file by name; no pickle inside is opened, and no array is made before its size is known.

  Args:
    path: the file.
    most: bytes of all arrays, unfolded.
    remedy: what the error advises.

  Raises:
    InvalidFile: for one that is missing, damaged, too large, or holds Python objects.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise InvalidFile(path, "does not exist or is no file", remedy=remedy)
  try:
    with zipfile.ZipFile(path) as archive:
      entries = [info for info in archive.infolist() if info.filename.endswith(".npy")]
      total = sum(info.file_size for info in entries)
      if len(entries) > ARRAYS or total > most:
        words = f"at most {ARRAYS} arrays of {most} bytes in all"
        raise InvalidFile(path, f"holds {len(entries)} arrays of {total} bytes", words, remedy)
      found = {info.filename.removesuffix(".npy"): _array(path, archive, info, remedy) for info in entries}
  except InvalidFile:
    raise
  # Damaged archives surface as BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, ...
  except Exception as error:
    raise InvalidFile(path, f"is damaged ({str(error)[:100]})", "an .npz file", remedy) from error
  return found


def _array(path, archive, info, remedy):
  name = info.filename.removesuffix(".npy")[:80]
  with archive.open(info) as file:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    begin = file.tell()
  if dtype.hasobject:
    raise InvalidFile(path, f"holds Python objects in {name!r}", "numbers and texts", remedy)
  if any(side < 0 for side in shape) or begin + math.prod(shape) * dtype.itemsize != info.file_size:
    raise InvalidFile(path, f"is damaged: {name!r} has not the {list(shape)} {dtype} that it claims", remedy=remedy)
  with archive.open(info) as file:
    return np.lib.format.read_array(file, allow_pickle=False)


def _depth(value):
  """Levels of lists and objects; no recursion."""
  deepest, waiting = 0, [(value, 1)]
  while waiting:
    one, level = waiting.pop()
    if isinstance(one, dict | list):
      deepest = max(deepest, level)
      waiting += [(item, level + 1) for item in (one.values() if isinstance(one, dict) else one)]
  return deepest


def _name(value):
  names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
  return names.get(type(value), "a number")
