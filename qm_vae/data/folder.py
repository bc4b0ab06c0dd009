"""Any directory of images, with an optional CSV of who they show and with which expression."""

import csv as csv_reader
import pathlib
from typing import Annotated

from qm_vae import types
from qm_vae.data import file_source, labels
from qm_vae.io import images
from qm_vae.options import TEXT, Option, member

_DEFAULT = {"image": "image", "identity": "identity", "label": "expression", "session": "session"}


@member(place="root", labelled=True)
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
      raise ValueError(f"no image below {directory}; looked for files that end in {' '.join(images.SUFFIXES)}")
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
    raise ValueError(
      f"csv is {str(path)!r}, which is no file; name an existing one, or '' to use every image below root"
    )
  try:
    with open(path, newline="", encoding="utf-8-sig") as file:
      reader = csv_reader.DictReader(file)
      header = [name.strip() for name in reader.fieldnames or ()]
      reader.fieldnames = header
      rows = [(reader.line_num, row) for row in reader]
  except (UnicodeDecodeError, csv_reader.Error) as error:
    raise ValueError(f"{path} is no UTF-8 CSV ({error}); save it as comma-separated values in UTF-8") from error
  table = {}
  for role, column in columns.items():
    if column in header:
      table[role] = [(row[column] or "").strip() for _, row in rows]
    elif role == "image" or column != _DEFAULT[role]:
      raise ValueError(
        f"{path} has no column {column!r}; its columns are {', '.join(header) or 'none'}; "
        f"name the right one with {role}_column"
      )
  if not rows:
    raise ValueError(f"{path} has no rows below its header; add one row per image")
  return [line for line, _ in rows], table


def _check_files(csv, directory, lines, names):
  rows = list(zip(lines, names, strict=True))
  missing = [f"{name!r} (line {line})" for line, name in rows if not name or not (directory / name).is_file()]
  if missing:
    shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    raise ValueError(
      f"{csv} names {len(missing)} images that are not below {directory}: {shown}; "
      "paths must be relative to root: correct root or the CSV"
    )
  first = {}
  for line, name in rows:
    if first.setdefault(name, line) != line:
      raise ValueError(f"{csv} names {name!r} twice, in lines {first[name]} and {line}; remove one of them")


def _expressions(csv, lines, names, column):
  indices = []
  for line, name in zip(lines, names, strict=True):
    try:
      indices.append(labels.expression(name) if name else types.UNKNOWN)
    except ValueError as error:
      raise ValueError(
        f"{csv}, line {line}, column {column!r}: {error}; rename it, empty the cell (unknown), or remove the row"
      ) from error
  return indices
