"""Datasets prepared by tensorflow-datasets as array_record, read without TensorFlow."""

import hashlib
import io
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from qm_vae import types
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import images

_AGAIN = "prepare it again with --file_format=array_record"


class TfdsSource:
  """A types.Source over one split of a prepared dataset; labels are unknown.

  `features` holds the features of every record as a random-access sequence, the image still encoded; `directory` is
  where they lie.

  Args:
    directory: that of one version of the dataset, as `prepared` returns it.
    split: name of a split, or tensorflow-datasets' notation for a part of one, such as 'train[:1000]'.

  Raises:
    ValueError: for a split that the dataset does not have, or another file format than array_record.
  """

  needed: tuple[str, ...] = ("image",)  # features of every record
  classes: tuple[str, ...] = ()
  identities: tuple[str, ...] = ()

  def __init__(self, directory: pathlib.Path, split: str):
    self._split, self.directory = split, directory
    self.features = _open_split(directory, split)
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(directory.iterdir())]
    self.fingerprint = hashlib.sha256(json.dumps([str(directory.resolve()), split, files]).encode()).hexdigest()

  def __len__(self) -> int:
    return len(self.features)

  def __getitem__(self, index: int) -> types.Record:
    features = self.record(index)
    name = f"{self._split}/{index}"
    image = images.read_image(io.BytesIO(features["image"]), f"{self.directory}, {name}")
    return types.Record(image, name, self.person(features))

  def record(self, index: int) -> Mapping[str, Any]:
    """The features of one record, the image still encoded.

    Raises:
      InvalidFile: where it cannot be decoded.
    """
    try:
      found = self.features[index]
    # array_record raises RuntimeError, protobuf, NumPy and tensorflow-datasets what they like.
    except Exception as error:
      wrong = f"is damaged: record {index} of {self._split} cannot be read ({str(error)[:200]})"
      raise InvalidFile(self.directory, wrong, remedy=_AGAIN) from error
    lacking = [name for name in self.needed if name not in found]
    if lacking:
      raise InvalidFile(self.directory, f"has records without {lacking[0]}", ", ".join(self.needed), _AGAIN)
    return found

  def person(self, features: Mapping[str, Any]) -> int:
    """The identity in a record's features; a dataset that knows people overrides it."""
    return types.UNKNOWN


def _tensorflow_datasets():
  """The package, which only those need who read its datasets."""
  try:
    import tensorflow_datasets
  except ImportError as error:
    raise InputError(
      f"a dataset of tensorflow-datasets needs that package, and {error}: pip install tensorflow-datasets array_record"
    ) from error
  return tensorflow_datasets


def _open_split(directory: pathlib.Path, split: str) -> Sequence[Mapping[str, Any]]:
  """The features of every record of a split, as a random-access sequence; `image` stays encoded."""
  tfds = _tensorflow_datasets()
  try:
    builder = tfds.builder_from_directory(directory)
  # Whatever JSON, protobuf or a check of tensorflow-datasets raises.
  except Exception as error:
    raise InvalidFile(directory, f"holds no dataset that can be read ({str(error)[:200]})", remedy=_AGAIN) from error
  file_format = builder.info.file_format
  if file_format is not tfds.core.FileFormat.ARRAY_RECORD:
    raise InputError(
      f"{directory} is stored as {getattr(file_format, 'value', 'nothing known')}, which cannot be read at random; "
      "delete it and prepare it again with --file_format=array_record"
    )
  as_data_source: Any = builder.as_data_source  # its decorator hides its parameters
  try:
    return as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
  except Exception as error:
    if split.partition("[")[0] in builder.info.splits and not isinstance(error, ValueError):
      raise InvalidFile(directory, f"cannot be opened ({str(error)[:200]})", remedy=_AGAIN) from error
    splits = ", ".join(builder.info.splits)
    raise InputError(
      f"{directory} has no split {split!r}; choose one of {splits}, or a part such as 'train[:1000]'"
    ) from error


def prepared(name: str, data_dir: str, download: bool, manual: str) -> pathlib.Path:
  """The directory of the newest prepared version of a dataset.

  Args:
    name: the dataset's.
    data_dir: tensorflow-datasets' directory; '' for its default, $TFDS_DATA_DIR or ~/tensorflow_datasets.
    download: whether a dataset that is not there is downloaded and prepared, which needs gigabytes and minutes.
    manual: what an error says of the files to fetch by hand.

  Raises:
    InputError: where the dataset is not prepared and not to be downloaded, and where downloading or preparing fails.
      Both tell the manual way.
  """
  root = pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
  found = _versions(root / name)
  if not found and download:
    tfds = _tensorflow_datasets()
    try:
      tfds.builder(name, data_dir=root, file_format="array_record").download_and_prepare()
    # Whatever the network, a checksum or a missing TensorFlow raises, the remedy is the same.
    except Exception as error:
      raise InputError(
        f"{name} could not be downloaded and prepared below {root} ({error}). {_remedy(name, root, manual)}"
      ) from error
    found = _versions(root / name)
  if not found:
    raise InputError(f"{name} is not prepared below {root}. {_remedy(name, root, manual)}")
  return found[-1]


def _versions(directory):
  found = [path.parent for path in directory.glob("*/dataset_info.json")]
  found = [path for path in found if all(part.isdecimal() for part in path.name.split("."))]
  return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])


def _remedy(name, root, manual):
  return (
    f"By hand: put {manual} into {root / 'downloads' / 'manual'}, under exactly these names, and ask for this dataset "
    "with download=True, which takes what lies there; or, in any environment with TensorFlow, run\n"
    f"  tfds build {name} --data_dir={root} --file_format=array_record\n"
    "Reading what was prepared needs no TensorFlow."
  )
