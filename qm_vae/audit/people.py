"""Whom pictures show: by a CSV, or by the folders in which they lie."""

import csv
import os
import pathlib
import posixpath
import unicodedata
from collections.abc import Sequence

import numpy as np

from qm_vae.audit import matching
from qm_vae.data import file_source


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
    raise ValueError(
      f"{deeper[0]} and {len(deeper) - 1} others lie more than one folder deep, so that it is not clear which folder "
      f"is the person; give --labels, a CSV with the columns {image_column} and {identity_column}"
    )
  if len(set(folders)) < 2:
    raise ValueError(
      f"all {len(names)} pictures lie in one folder, so that folders do not tell whom they show; "
      f"give --labels, a CSV with the columns {image_column} and {identity_column}, or a folder for each person"
    )
  return file_source.numbered(folders)


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
    raise ValueError(message)
  return [next(iter(person)) for person in people]


def _rows(path, image_column, identity_column):
  """(Line number, picture, person) of every row that names a picture."""
  try:
    with open(path, newline="", encoding="utf-8-sig") as file:
      reader = csv.DictReader(file)
      reader.fieldnames = header = [column.strip() for column in reader.fieldnames or ()]
      rows = [(reader.line_num, row) for row in reader]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    reason = error.strerror if isinstance(error, OSError) else error
    raise ValueError(f"{path} cannot be read as a UTF-8 CSV: {reason}") from error
  lacking = [column for column in (image_column, identity_column) if column not in header]
  if lacking:
    raise ValueError(
      f"{path} has no column {' and no column '.join(map(repr, lacking))}; its columns are "
      f"{', '.join(map(repr, header)) or 'none'}; name the columns that hold the pictures and the people"
    )
  cells = ((line, (row[image_column] or "").strip(), (row[identity_column] or "").strip()) for line, row in rows)
  return [(line, name, person) for line, name, person in cells if name]


def _plain(name):
  return unicodedata.normalize("NFC", posixpath.normpath(name))
