"""Any directory of images, with an optional CSV of who they show and with which expression."""

import itertools
import os
import pathlib
from typing import Annotated

from qm_vae import types
from qm_vae.data import file_source, labels
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import images, reading
from qm_vae.options import TEXT, Option, member

_DEFAULT = {"image": "image", "identity": "identity", "label": "expression", "session": "session"}


@member(
  place="root", labelled=True, terms="a folder of pictures; only who made it knows who is in it and what they agreed to"
)
def make(
  *,
  root: str,
  csv: Annotated[str, Option(TEXT, "file with a header row; '': every image below root, nobody known")] = "",
  image_column: Annotated[str, Option(TEXT)] = _DEFAULT["image"],
  identity_column: Annotated[str, Option(TEXT)] = _DEFAULT["identity"],
  label_column: Annotated[str, Option(TEXT)] = _DEFAULT["label"],
  session_column: Annotated[str, Option(TEXT)] = _DEFAULT["session"],
) -> file_source.FileSource:
  """Images below a directory.

  Args:
    root: the directory. Without a CSV every image below it (images.SUFFIXES) is a record, in the order of sorted paths,
      of unknown identity and label.
    csv: path of a UTF-8 CSV whose rows are the records, in their order; '' for none.
    image_column: its column of paths relative to `root`.
    identity_column: its column of people's names or numbers, empty where unknown. A CSV without a column of the default
      name carries no identities.
    label_column: its column of expressions (labels.expression), empty where unknown. A CSV without a column of the
      default name carries no labels.
    session_column: its column of the sessions (sittings, clips, events) in which pictures were taken, empty where
      unknown; optional as before.

  Raises:
    ValueError: for a directory without images, or a CSV that cannot be read, lacks a column, or names missing files,
      the same file twice, or unknown expressions.
  """
  directory = file_source.existing_directory(root)
  if not csv:
    names = file_source.find_images(directory)
    if not names:
      raise InputError(f"no image below {directory}; looked for files that end in {' '.join(images.SUFFIXES)}")
    return file_source.FileSource(directory, names)
  columns = {"image": image_column, "identity": identity_column, "label": label_column, "session": session_column}
  lines, table = _read(pathlib.Path(csv).expanduser(), columns)
  _check_files(csv, directory, lines, table["image"])
  label, classes = None, ()
  if "label" in table:
    label, classes = _expressions(csv, lines, table["label"], label_column), types.EXPRESSIONS
  return file_source.FileSource(directory, table["image"], table.get("identity"), label, classes, table.get("session"))


def _read(path, columns):
  """Line numbers, and for each column that the CSV has its cells without surrounding spaces."""
  if not path.is_file():
    raise InputError(
      f"csv is {str(path)!r}, which is no file; name an existing one, or '' to use every image below root"
    )
  header, numbered = reading.read_table(path)
  rows = [(line, dict(itertools.zip_longest(header, cells[: len(header)]))) for line, cells in numbered]
  table = {}
  for role, column in columns.items():
    if column in header:
      table[role] = [(row[column] or "").strip() for _, row in rows]
    elif role == "image" or column != _DEFAULT[role]:
      words = f"has no column {column!r}; its columns are {', '.join(header)[:300] or 'none'}"
      raise InvalidFile(path, words, remedy=f"name the right one with {role}_column")
  if not rows:
    raise InvalidFile(path, "has no rows below its header", remedy="add one row per image")
  return [line for line, _ in rows], table


def _check_files(csv, directory, lines, names):
  rows = list(zip(lines, names, strict=True))
  for line, name in rows:
    if os.path.isabs(name) or pathlib.PurePath(os.path.normpath(name)).parts[:1] == ("..",):
      raise InvalidFile(csv, f"names {name[:200]!r} in line {line}, outside of root", f"a path below {directory}")
  missing = [f"{name[:200]!r} (line {line})" for line, name in rows if not _is_file(directory, name)]
  if missing:
    shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    raise InputError(
      f"{csv} names {len(missing)} images that are not below {directory}: {shown}; "
      "paths must be relative to root: correct root or the CSV"
    )
  first = {}
  for line, name in rows:
    if first.setdefault(name, line) != line:
      raise InputError(f"{csv} names {name[:200]!r} twice, in lines {first[name]} and {line}; remove one of them")


def _is_file(directory, name):
  try:
    return bool(name) and (directory / name).is_file()
  except (OSError, ValueError):  # a name that is too long, or holds a NUL
    return False


def _expressions(csv, lines, names, column):
  indices = []
  for line, name in zip(lines, names, strict=True):
    try:
      indices.append(labels.expression(name) if name else types.UNKNOWN)
    except ValueError as error:
      raise InputError(
        f"{csv}, line {line}, column {column!r}: {error}; rename it, empty the cell (unknown), or remove the row"
      ) from error
  return indices
