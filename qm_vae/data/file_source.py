"""Records that are image files below one directory."""

import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from qm_vae import types
from qm_vae.errors import InputError
from qm_vae.io import images


def existing_directory(root: str | os.PathLike) -> pathlib.Path:
  """The directory, `~` expanded.

  Raises:
    ValueError: where there is none.
  """
  path = pathlib.Path(root).expanduser()
  if not str(root) or not path.is_dir():
    raise InputError(f"root is {str(root)!r}, which is no directory; name the directory that holds the images")
  return path


def find_images(root: pathlib.Path) -> tuple[str, ...]:
  """Sorted paths, relative to `root` and with '/', of all files below it that end like an image (images.SUFFIXES)."""
  found = []
  for directory, _, files in os.walk(root):
    below = pathlib.Path(directory).relative_to(root)
    found += [(below / file).as_posix() for file in files if file.lower().endswith(images.SUFFIXES)]
  return tuple(sorted(found))


def numbered(names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
  """Numbers for names: int32 [N], types.UNKNOWN for '', and the sorted distinct names that they index."""
  distinct = set(names) - {""}
  numeric = all(name.isdecimal() for name in distinct)
  distinct = sorted(distinct, key=(lambda name: (int(name), name)) if numeric else None)
  number = {name: i for i, name in enumerate(distinct)} | {"": types.UNKNOWN}
  return np.array([number[name] for name in names], np.int32), tuple(distinct)


class FileSource:
  """A types.Source over image files.

  Args:
    root: the directory.
    names: paths of the files relative to `root`, in the order of the records.
    identity: names of the people [N], '' where unknown; None where the dataset carries none.
    label: indices [N] into `classes`, types.UNKNOWN where unknown; None where the dataset carries none.
    classes: names of the labels.
    session: names of the sessions [N] in which pictures were taken, '' where unknown; None where nobody says.
  """

  def __init__(
    self,
    root: pathlib.Path,
    names: Sequence[str],
    identity: Sequence[str] | None = None,
    label: Sequence[int] | None = None,
    classes: tuple[str, ...] = (),
    session: Sequence[str] | None = None,
  ):
    self.root = root
    self.names = tuple(names)
    self.classes = classes
    self.identity, self.identities = numbered([""] * len(self.names) if identity is None else identity)
    self.session = None if session is None else numbered(session)[0]
    self.label = np.full(len(self.names), types.UNKNOWN, np.int32) if label is None else np.array(label, np.int32)

  @functools.cached_property
  def fingerprint(self) -> str:
    """Of the place, every file's name, size and time of change, and identities and labels; contents are not read."""
    digest = hashlib.sha256(json.dumps([str(self.root.resolve()), self.identities, self.classes]).encode())
    digest.update(self.identity.tobytes() + self.label.tobytes())
    for name in self.names:
      status = os.stat(self.root / name)
      digest.update(json.dumps([name, status.st_size, status.st_mtime_ns]).encode())
    return digest.hexdigest()

  def __len__(self) -> int:
    return len(self.names)

  def __getitem__(self, index: int) -> types.Record:
    name = self.names[index]
    image = images.read_image(self.root / name, name)
    return types.Record(image, name, int(self.identity[index]), int(self.label[index]))
