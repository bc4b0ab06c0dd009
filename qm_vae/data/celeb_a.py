"""CelebA (Liu et al. 2015) through tensorflow-datasets."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from qm_vae import types
from qm_vae.data import tfds_source
from qm_vae.errors import InputError, InvalidFile
from qm_vae.options import FLAG, TEXT, Option, member

_MANUAL = (
  "img_align_celeba.zip, list_eval_partition.txt, list_attr_celeba.txt, list_landmarks_align_celeba.txt and "
  "identity_CelebA.txt (from CelebA's own page; Google Drive often refuses the automatic download)"
)
_PEOPLE = 10177  # identities are numbered from 1


class CelebaTfds(tfds_source.TfdsSource):
  """CelebA's records with people, where the prepared version names them, and the forty attributes."""

  needed = ("image", "attributes")

  @functools.cached_property
  def identities(self) -> tuple[str, ...]:
    """CelebA's own numbers of people, each at the position that it names; () before version 2.1.0."""
    return tuple(str(number) for number in range(_PEOPLE + 1)) if "identity" in self.record(0) else ()

  def person(self, features: Mapping[str, Any]) -> int:
    """CelebA's own number of the person shown."""
    if "identity" not in features:
      return types.UNKNOWN
    number = int(features["identity"]["Identity_No"])
    if not 0 <= number <= _PEOPLE:
      raise InvalidFile(self.directory, f"names the person {number}", f"0 to {_PEOPLE}", "prepare it again")
    return number

  @functools.cached_property
  def attributes(self) -> tuple[str, ...]:
    """Names of the attributes, sorted."""
    return tuple(sorted(self.record(0)["attributes"]))

  @functools.cached_property
  def attribute_values(self) -> np.ndarray:
    """int8 [N, A]: 1 where an attribute is present, -1 where absent. Reads every record once, some 20 s for a split."""
    records = map(self.record, range(len(self)))
    present = [[record["attributes"][name] for name in self.attributes] for record in records]
    return np.where(present, 1, -1).astype(np.int8)


@member(
  place="data_dir",
  has_default_place=True,
  published=({"split": "train"}, {"split": "test"}),
  terms="CelebA (Liu et al. 2015), which its authors give for non-commercial research alone",
)
def make(
  *,
  data_dir: str = "",
  split: Annotated[str, Option(TEXT, "a split, or a part of one, such as train[:1000]")] = "train",
  download: Annotated[bool, Option(FLAG, "whether it is downloaded where it is not there")] = False,
) -> CelebaTfds:
  """CelebA's aligned images, 178 x 218 pixels, in the order of tensorflow-datasets (not that of their numbers).

  Args:
    data_dir: tensorflow-datasets' directory; '' for its default.
    split: 'train', 'validation', 'test', or a part such as 'train[:1000]'.
    download: whether CelebA is downloaded and prepared when it is not there.

  Returns:
    A source without labels. Identities come from version 2.1.0 on; in older ones they are unknown. The attributes
    are in its `attributes` and `attribute_values`.

  Raises:
    InputError: where it is not prepared, or the download fails.
    ValueError: for an unknown split, or files that are not array_record.
  """
  try:
    directory = tfds_source.prepared("celeb_a", data_dir, download, _MANUAL)
  except InputError as error:
    raise InputError(
      f"{error}\nOr unpack these files and read them directly, with the dataset celeba_folder."
    ) from error
  return CelebaTfds(directory, split)
