"""Which files a job of many has, and where each lands: a folder, or a list of paths."""

import csv
import hashlib
import os
import pathlib

from qm_vae.deidentify import folder
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import reading


def read(path: pathlib.Path, column: str = "path") -> list[str]:
  """The names of the files that IN names, each once, in its order.

  Args:
    path: a folder, or a .txt, .csv or .jsonl file in UTF-8.
    column: of the .csv or .jsonl, where the paths stand.

  Raises:
    ValueError: for any other file, one without the column, or one that names nothing.
  """
  if path.is_dir():
    names = [str(name) for name in folder.walk(path).wanted]
  elif not path.is_file():
    raise InputError(f"IN is {str(path)!r}, which does not exist")
  elif path.suffix.lower() not in _READERS:
    raise InputError(f"IN is {path}; it must be a folder or a manifest with the suffix {', '.join(_READERS)}")
  else:
    try:
      # What is no UTF-8 in a file's name passes through, as it does in a folder.
      with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        names = [name.strip() for name in _READERS[path.suffix.lower()](file, column)]
    except (InvalidFile, KeyError, TypeError, AttributeError, csv.Error) as error:
      raise InputError(
        f"{path} does not hold a path in column {column!r} of every row ({error}); see --column"
      ) from None
  names = list(dict.fromkeys(filter(None, names)))
  if not names:
    raise InputError(f"{path} names no picture and no video")
  return names


_READERS = {
  ".txt": lambda file, column: file,
  ".csv": lambda file, column: (row[column] for row in csv.DictReader(file)),
  ".jsonl": lambda file, column: (reading.parse_json(file.name, line)[column] for line in file if line.strip()),
}


def place(name: str) -> pathlib.Path:
  """Where, below OUT, the protected file called `name` in the manifest lies."""
  digest = hashlib.sha256(os.fsencode(name)).hexdigest()
  path = pathlib.PurePath(name)
  stem = os.fsdecode(os.fsencode(path.stem)[:100])  # a file's name holds 255 bytes
  return pathlib.Path(digest[:2], digest[2:4], f"{stem}-{digest[4:20]}{path.suffix}")
