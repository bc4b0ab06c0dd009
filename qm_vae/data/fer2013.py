"""FER2013 (Goodfellow et al. 2013) in the forms in which people have it."""

import hashlib
import os
import pathlib
from typing import Annotated

import numpy as np

from qm_vae import types
from qm_vae.data import file_source, labels
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import reading
from qm_vae.options import Option, member, one_of

USAGES = ("Training", "PublicTest", "PrivateTest")
"""The parts of the challenge, as the CSV's column Usage names them."""

_SIDE = 48  # pixels
_CSV_BYTES, _NPZ_BYTES = 2**30, 2**29  # 0.3 GB and 0.08 GB as published
_FOLDERS = {
  "Training": ("train", "training"),
  "PublicTest": ("validation", "val", "valid", "publictest"),
  "PrivateTest": ("test", "privatetest"),
}


class ArraySource:
  """A types.Source over grey images held in memory.

  Args:
    images: uint8 [N, 48, 48].
    label: integers [N], indices into types.EXPRESSIONS.
    names: of the records, [N].
  """

  classes = types.EXPRESSIONS
  identities = ()

  def __init__(self, images: np.ndarray, label: np.ndarray, names: list[str]):
    self.images, self.label, self.names = images, np.asarray(label, np.int32), tuple(names)
    content = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    content.update(self.label.tobytes() + "\n".join(names).encode())
    self.fingerprint = content.hexdigest()

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, index: int) -> types.Record:
    image = np.repeat(self.images[index][..., None], 3, axis=2)
    return types.Record(image, self.names[index], types.UNKNOWN, int(self.label[index]))


@member(
  place="path",
  labelled=True,
  published=({"usage": "Training"}, {"usage": "PublicTest"}),
  terms="FER2013 (Goodfellow et al. 2013), found by an image search for a Kaggle competition, whose rules hold",
)
def make(
  *, path: str, usage: Annotated[str, Option(one_of("all", *USAGES))] = "all"
) -> "ArraySource | file_source.FileSource":
  """FER2013's grey faces, 48 x 48 pixels, grey repeated to three channels.

  Args:
    path: Kaggle's CSV (columns emotion, pixels, Usage); an .npz with arrays `<Usage>_x` uint8 [N, 48, 48], `<Usage>_y`
      [N] and `classes`, names that give the meaning of `_y`; or a directory of images in `train/`, `validation/` and
      `test/` with one directory per expression in each.
    usage: 'Training', 'PublicTest', 'PrivateTest', or 'all' for every part that is there. Of a directory, `train/` is
      Training, `validation/` PublicTest and `test/` PrivateTest; directories of expressions in `path` itself are 'all'.

  Returns:
    A source with the classes types.EXPRESSIONS and unknown identities; of CSV and .npz all images are kept in memory.

  Raises:
    ValueError: where the path is none of these, has no images of the usage, or holds a damaged row or unknown class.
  """
  file = pathlib.Path(path).expanduser()
  usages = USAGES if usage == "all" else (usage,)
  if path and file.is_dir():
    return _read_tree(file, usage)
  if not file.is_file() or file.suffix.lower() not in (".csv", ".npz"):
    raise InputError(f"path is {path!r}; it must be an existing .csv or .npz file or a directory")
  images, label, names = (_read_npz if file.suffix.lower() == ".npz" else _read_csv)(file, usages)
  if not len(images):
    raise InputError(f"{file} holds no images of usage {usage!r}; choose another of {', '.join(USAGES)}")
  return ArraySource(np.asarray(images), np.asarray(label), names)


def _read_csv(path, usages):
  images, label, names = [], [], []
  header, rows = reading.read_table(path, most=_CSV_BYTES, remedy="download it again")
  header = [name.lower() for name in header]
  if not {"emotion", "pixels", "usage"} <= set(header):
    raise InvalidFile(path, f"has the columns {', '.join(header)[:300] or 'none'}", "emotion, pixels and Usage")
  columns = [header.index(name) for name in ("emotion", "pixels", "usage")]
  for number, (_, row) in enumerate(rows):
    emotion, pixels, usage = (row[i] if i < len(row) else "" for i in columns)
    if usage.strip() not in USAGES:
      raise InvalidFile(path, f"has Usage {usage[:40]!r} in row {number}", f"one of {', '.join(USAGES)}")
    if usage.strip() in usages:
      images.append(_pixels(path, number, pixels))
      label.append(_class_number(path, number, emotion))
      names.append(f"{usage.strip()}/{number}")
  return np.array(images, np.uint8).reshape(-1, _SIDE, _SIDE), label, names


def _pixels(path, number, text):
  try:
    values = np.fromstring(text, np.int64, sep=" ")
  except (ValueError, OverflowError, DeprecationWarning) as error:
    raise InvalidFile(path, f"has pixels in row {number} that are no numbers", remedy="download it again") from error
  if values.size != _SIDE**2 or values.min() < 0 or values.max() > 255:
    words = f"has {values.size} pixels in row {number}"
    raise InvalidFile(path, words, f"{_SIDE**2} of 0 to 255", "download it again")
  return values.astype(np.uint8)


def _class_number(path, number, text):
  if text.strip() not in "0123456" or len(text.strip()) != 1:
    raise InvalidFile(path, f"has emotion {text[:40]!r} in row {number}", "0 to 6")
  return int(text)


def _read_npz(path, usages):
  file = reading.read_arrays(path, most=_NPZ_BYTES, remedy="download it again")
  classes = file.get("classes")
  if classes is None or classes.ndim != 1 or classes.dtype.kind != "U":
    raise InvalidFile(path, f"has the arrays {', '.join(file)[:300]}", "classes, the names of the labels, among them")
  try:
    order = np.array([labels.expression(name) for name in classes.tolist()])
  except ValueError as error:
    raise InvalidFile(path, f"has classes of another kind ({error})") from error
  nothing = np.zeros((0, 0))  # refused below
  parts = [(each, file[f"{each}_x"], file.get(f"{each}_y", nothing)) for each in usages if f"{each}_x" in file]
  for usage, images, label in parts:
    if (
      label.ndim != 1
      or label.dtype.kind not in "iu"
      or images.dtype != np.uint8
      or images.shape != (len(label), _SIDE, _SIDE)
      or not np.all((label >= 0) & (label < len(order)))
    ):
      words = f"{usage}_x uint8 [N, 48, 48] and {usage}_y integers [N], indices into classes"
      raise InvalidFile(path, "has arrays of another form", words)
  if not parts:
    return (), (), []
  names = [f"{usage}/{i}" for usage, images, _ in parts for i in range(len(images))]
  return np.concatenate([part[1] for part in parts]), order[np.concatenate([part[2] for part in parts])], names


def _read_tree(path, usage):
  folders = sorted(child.name for child in path.iterdir() if child.is_dir())
  wanted = [name for names in _FOLDERS.values() for name in names] if usage == "all" else _FOLDERS[usage]
  parts = [name for name in folders if name.lower() in wanted]
  if not parts and usage == "all":
    parts = ["."]
  if not parts:
    raise InputError(
      f"{path} has no directory {' or '.join(wanted)} for usage {usage!r}; it has {', '.join(folders) or 'none'}; "
      "if these are expressions, use usage 'all'"
    )
  names, label = [], []
  for part in parts:
    for folder in sorted(child.name for child in (path / part).iterdir() if child.is_dir()):
      try:
        number = labels.expression(folder)
      except ValueError as error:
        raise InputError(f"{path / part}: {error}; rename or remove the directory") from error
      found = file_source.find_images(path / part / folder)
      names += [os.path.normpath(f"{part}/{folder}/{name}") for name in found]
      label += [number] * len(found)
  if not names:
    raise InputError(f"no image below {path} in {', '.join(parts)}; it must hold one directory per expression")
  return file_source.FileSource(path, names, label=label, classes=types.EXPRESSIONS)
