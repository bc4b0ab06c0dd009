"""Whom pictures show: by a CSV, or by the folders in which they lie."""

import csv
import os
import pathlib
import posixpath
import unicodedata
from collections.abc import Sequence

import numpy as np

from qm_vae import types
from qm_vae.audit import matching
from qm_vae.data import file_source
from qm_vae.errors import InputError


def identities(
  names: Sequence[str],
  labels: str | os.PathLike | None = None,
  image_column: str = "image",
  identity_column: str = "identity",
) -> tuple[np.ndarray, tuple[str, ...]]:
  """Whom pictures show.

  Args:
    names: of pairs.
    labels: a UTF-8 CSV that names every picture, with or without its ending, and the person; it may name others too.
      None where each folder holds one person; pictures outside of any folder are then of unknown people.
    image_column: the CSV's column of pictures.
    identity_column: its column of people's names or numbers, empty where unknown.

  Returns:
    int32 [N], types.UNKNOWN where unknown, and the names of the people that they index.

  Raises:
    ValueError: for a CSV that cannot be read, lacks a column, lacks pictures or gives one two people; without a CSV,
      when all pictures lie in one folder or some lie more than one folder deep.
  """
  if labels is not None:
    return file_source.numbered(_from_csv(names, pathlib.Path(labels).expanduser(), image_column, identity_column))
  folders = [posixpath.dirname(name) for name in names]
  deeper = [name for name in names if name.count("/") > 1]
  if deeper:
    raise InputError(
      f"{deeper[0]} and {len(deeper) - 1} others lie more than one folder deep, so that it is not clear which folder "
      f"is the person; give --labels, a CSV with the columns {image_column} and {identity_column}"
    )
  if len(set(folders)) < 2:
    raise InputError(
      f"all {len(names)} pictures lie in one folder, so that folders do not tell whom they show; "
      f"give --labels, a CSV with the columns {image_column} and {identity_column}, or a folder for each person"
    )
  return file_source.numbered(folders)


SESSION = "session"
"""The CSV's column of sessions, unless another is named; a CSV may lack it."""


def sessions(
  names: Sequence[str],
  labels: str | os.PathLike | None = None,
  image_column: str = "image",
  session_column: str = SESSION,
) -> np.ndarray:
  """In which session pictures were taken: one sitting, one clip, one event.

  Args:
    names: of pairs.
    labels: as for `identities`; None where nobody knows.
    image_column: the CSV's column of pictures.
    session_column: its column of sessions' names or numbers, empty where unknown.

  Returns:
    int32 [N], types.UNKNOWN where unknown.

  Raises:
    ValueError: for a CSV that cannot be read, lacks a column that is not SESSION, or gives a picture two sessions.
  """
  unknown = np.full(len(names), types.UNKNOWN, np.int32)
  if labels is None:
    if session_column != SESSION:
      raise InputError(f"there is no CSV for the column {session_column!r}; give --labels")
    return unknown
  path = pathlib.Path(labels).expanduser()
  if session_column == SESSION and SESSION not in _table(path)[0]:
    return unknown
  known, double = {}, []
  for _, name, session in _rows(path, image_column, session_column):
    if known.setdefault(matching.stem(_plain(name)), session) != session:
      double.append(name)
  message = matching.refusal(f"{path} does not say when pictures were taken", {"pictures of two sessions": double})
  if message:
    raise InputError(message)
  return file_source.numbered([known.get(matching.stem(_plain(name)), "") for name in names])[0]


def _from_csv(names, path, image_column, identity_column):
  by_name, by_stem = {}, {}  # picture -> person -> line of the CSV
  for line, name, person in _rows(path, image_column, identity_column):
    name = _plain(name)
    by_name.setdefault(name, {}).setdefault(person, line)
    by_stem.setdefault(matching.stem(name), {}).setdefault(person, line)
  people = [by_name.get(_plain(name)) or by_stem.get(matching.stem(name), {}) for name in names]
  missing = [name for name, person in zip(names, people, strict=True) if not person]
  double = [
    f"{name} (" + ", ".join(f"{who or 'nobody'!r} in line {line}" for who, line in person.items()) + ")"
    for name, person in zip(names, people, strict=True)
    if len(person) > 1
  ]
  problems = {
    f"pictures without a row; column {image_column!r} must hold paths like these": missing,
    "pictures that are two people": double,
  }
  message = matching.refusal(f"{path} does not tell whom every picture shows", problems)
  if message:
    raise InputError(message)
  return [next(iter(person)) for person in people]


def _rows(path, image_column, value_column):
  """(Line number, picture, value) of every row that names a picture."""
  header, rows = _table(path)
  lacking = [column for column in (image_column, value_column) if column not in header]
  if lacking:
    raise InputError(
      f"{path} has no column {' and no column '.join(map(repr, lacking))}; its columns are "
      f"{', '.join(map(repr, header))[:300] or 'none'}; name the columns that hold the pictures and the people"
    )
  cells = ((line, (row[image_column] or "").strip(), (row[value_column] or "").strip()) for line, row in rows)
  return [(line, name, value) for line, name, value in cells if name]


def _table(path):
  """(Header, [(line number, row)]) of a CSV."""
  try:
    with open(path, newline="", encoding="utf-8-sig") as file:
      reader = csv.DictReader(file)
      reader.fieldnames = header = [column.strip() for column in reader.fieldnames or ()]
      return header, [(reader.line_num, row) for row in reader]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    reason = error.strerror if isinstance(error, OSError) else error
    raise InputError(f"{path} cannot be read as a UTF-8 CSV: {reason}") from error


def _plain(name):
  return unicodedata.normalize("NFC", posixpath.normpath(name))
