"""CelebA (Liu et al. 2015) read directly from its own directory layout."""

import pathlib
import re
from typing import Annotated

import numpy as np

from qm_vae.data import file_source
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import images as image_files
from qm_vae.io import reading
from qm_vae.options import FLAG, TEXT, Option, member, one_of
from qm_vae.types import UnreadableImage

PARTITIONS = ("train", "valid", "test")
"""The numbers 0, 1 and 2 of list_eval_partition.txt."""

_PUBLISHED = (178, 218)  # width and height of the aligned images, to which the list of landmarks refers
_IMAGES = ("img_align_celeba", "img_align_celeba/img_align_celeba", "Img/img_align_celeba", "img")
_AGAIN = "download it again"
_LISTS = ("", "Anno", "Eval")


class CelebaSource(file_source.FileSource):
  """Image files with CelebA's attributes.

  `attributes` holds the attributes' names, () where there is no list of them; `attribute_values` is int8 [N, A]: 1
  where an attribute is present, -1 where absent, 0 where the list lacks the image; None where there is no list.
  `landmark_values` is float32 [N, 5, 2]: x and y of the left eye, the right eye, the nose, the left and the right
  corner of the mouth (left and right of the picture), pixels of the image as it is stored, from its top left corner;
  NaN where the list lacks the image; None unless landmarks are asked for.
  """

  attributes: tuple[str, ...] = ()
  attribute_values: np.ndarray | None = None
  landmark_values: np.ndarray | None = None


@member(
  place="root",
  published=({"partition": "train"}, {"partition": "test"}),
  terms="CelebA (Liu et al. 2015), which its authors give for non-commercial research alone",
)
def make(
  *,
  root: str,
  partition: Annotated[str, Option(one_of("all", *PARTITIONS))] = "all",
  having: Annotated[str, Option(TEXT, "an attribute: with it; '-' before it: without it; '': all")] = "",
  landmarks: Annotated[bool, Option(FLAG, "whether list_landmarks_align_celeba.txt is read")] = False,
) -> CelebaSource:
  """CelebA's images in the order of their numbers.

  Args:
    root: the directory that holds `img_align_celeba/` (also below `Img/`, or once more inside itself) or `img/`. Beside
      it, or below `Anno/` and `Eval/`, each optional: `identity_CelebA.txt` or `labels.csv` (columns image, identity
      and, optionally, session: pictures of a person with one name there were taken in one sitting);
      `list_landmarks_align_celeba.txt`;
      `list_attr_celeba.txt` or `attributes.csv` (image, then the attributes); `list_eval_partition.txt`.
    partition: 'train', 'valid' or 'test' of list_eval_partition.txt, or 'all'.
    having: an attribute, for the images that have it; with '-' before it, for those that are listed without it; '' for
      all.
    landmarks: whether the five points of list_landmarks_align_celeba.txt are read. They are scaled to images that were
      shrunk from the published 178 x 218 pixels.

  Returns:
    A source without labels; identities are those of the list, unknown for images that it lacks.

  Raises:
    ValueError: where the images, or the list that a partition or an attribute needs, are missing, a list cannot be
      read, or no image is left.
  """
  directory = file_source.existing_directory(root)
  images = _images(directory)
  names = [name for name in file_source.find_images(images) if "/" not in name]
  if not names:
    raise InputError(f"no image in {images}; it must hold 000001.jpg and so on")
  if partition != "all":
    part = _partition(directory)
    names = [name for name in names if part.get(name) == str(PARTITIONS.index(partition))]
    if not names:
      raise InputError(f"no image of {images} is in partition {partition!r} of list_eval_partition.txt")
  person, session = _people(directory)
  attributes, values = _attributes(directory)
  if having:
    names = _having(directory, names, having, attributes, values)
  taken = None if session is None else [session.get(name, "") for name in names]
  source = CelebaSource(images, names, [person.get(name, "") for name in names], session=taken)
  source.attributes = attributes
  if source.attributes:
    absent = np.zeros(len(source.attributes), np.int8)
    source.attribute_values = np.array([values.get(name, absent) for name in names], np.int8)
  if landmarks:
    source.landmark_values = _landmarks(directory, images, names)
  return source


def _having(directory, names, having, attributes, values):
  attribute, wanted = having.removeprefix("-"), -1 if having.startswith("-") else 1
  if attribute not in attributes:
    raise InputError(
      f"having is {having!r}; {directory} lists {', '.join(attributes) or 'no attributes'}, each with '-' before it "
      "for the images without it"
    )
  column = attributes.index(attribute)
  kept = [name for name in names if name in values and values[name][column] == wanted]
  if not kept:
    raise InputError(f"no image of {directory} is left with having={having!r}")
  return kept


def _images(directory):
  for name in _IMAGES:
    path = directory / name
    if path.is_dir() and any(child.is_file() for child in path.iterdir()):
      return path
  if any((directory / place / "img_align_celeba.zip").exists() for place in ("", "Img")):
    raise InputError(f"img_align_celeba.zip below {directory} is still packed; unzip it there")
  raise InputError(f"{directory} has no images in any of {', '.join(_IMAGES)}; root must be CelebA's directory")


def _find(directory, name):
  paths = (directory / place / name for place in _LISTS)
  return next((path for path in paths if path.is_file()), None)


def _partition(directory):
  path = _find(directory, "list_eval_partition.txt")
  if path is None:
    raise InputError(f"{directory} has no list_eval_partition.txt, which partition needs; use partition 'all'")
  return _pairs(path)


def _people(directory):
  """({image: identity}, {image: session} or None where no list has sessions)."""
  path = _find(directory, "identity_CelebA.txt")
  if path is not None:
    return _pairs(path), None
  path = _find(directory, "labels.csv")
  if path is None:
    return {}, None
  header, rows = _table(path)
  if "image" not in header or "identity" not in header:
    raise InvalidFile(path, f"has the columns {', '.join(header)[:300] or 'none'}", "image and identity")
  column = lambda name: {row[header.index("image")]: row[header.index(name)] for row in rows}
  return column("identity"), column("session") if "session" in header else None


def _attributes(directory):
  path = _find(directory, "list_attr_celeba.txt")
  if path is not None:
    # The first line is the number of images, the second holds the attributes' names.
    _, header, *rows = [*reading.read_text(path, remedy=_AGAIN).split("\n"), ""]
    names, rows = header.split(), [line.split() for line in rows if line.strip()]
  else:
    path = _find(directory, "attributes.csv")
    if path is None:
      return (), {}
    header, rows = _table(path)
    names = header[1:]
  if any(len(row) != len(names) + 1 or set(row[1:]) - {"-1", "1"} for row in rows):
    raise InvalidFile(path, f"has a line without exactly {len(names)} values of -1 or 1", remedy=_AGAIN)
  return tuple(names), {name: np.array(values, np.int8) for name, *values in rows}


def _landmarks(directory, images, names):
  path = _find(directory, "list_landmarks_align_celeba.txt")
  if path is None:
    raise InputError(f"{directory} has no list_landmarks_align_celeba.txt, which landmarks need; leave landmarks out")
  # The first line is the number of images, the second names the coordinates.
  _, _, *rows = [*reading.read_text(path, remedy=_AGAIN).split("\n"), "", ""]
  points = {}
  for name, *values in (line.split() for line in rows if line.strip()):
    if len(values) != 10 or not all(re.fullmatch(r"-?\d{1,6}", value) for value in values):
      raise InvalidFile(path, "has a line that is not an image and ten whole numbers", remedy=_AGAIN)
    points[name] = np.array(values, np.float32).reshape(5, 2)
  found = np.full((len(names), 5, 2), np.nan, np.float32)
  for i, name in enumerate(names):
    if name in points:
      # The list counts from the centre of the first pixel.
      found[i] = (points[name] + 0.5) * _scale(images / name)
  return found


def _scale(path):
  """Sides of an image file relative to the published ones; [1, 1] for a file that cannot be read, as its record."""
  try:
    with image_files.opened(path) as image:
      return np.array(image.size, np.float32) / np.array(_PUBLISHED, np.float32)
  except UnreadableImage:
    return np.ones(2, np.float32)


def _pairs(path: pathlib.Path):
  rows = [line.split() for line in reading.read_text(path, remedy=_AGAIN).splitlines() if line.strip()]
  if any(len(row) != 2 for row in rows):
    raise InvalidFile(path, "has a line that is not an image and a number", remedy=_AGAIN)
  return dict(rows)


def _table(path):
  header, numbered = reading.read_table(path)
  rows = [row for _, row in numbered]
  if any(len(row) != len(header) for row in rows):
    raise InvalidFile(path, f"has a row of another length than its header's {len(header)} columns", remedy="mend it")
  return header, rows
