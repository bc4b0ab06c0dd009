"""Labeled Faces in the Wild (Huang et al. 2007) through tensorflow-datasets."""

import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

from qm_vae import types
from qm_vae.data import file_source, tfds_source
from qm_vae.options import FLAG, TEXT, Option, member

_MANUAL = "lfw.tgz (preparing it needs TensorFlow, once)"


class LfwTfds(tfds_source.TfdsSource):
  """LFW's records with their people."""

  needed = ("image", "label")

  def __init__(self, directory: pathlib.Path, split: str):
    super().__init__(directory, split)
    # The people are named in the records alone: each is read once, its image left encoded.
    names = [_name(self.record(i)) for i in range(len(self))]
    _, self.identities = file_source.numbered(names)
    self._number = {name: i for i, name in enumerate(self.identities)}

  def person(self, features: Mapping[str, Any]) -> int:
    """The position in `identities` of the person shown."""
    return self._number[_name(features)]


def _name(features):
  return features["label"].decode(errors="replace")


@member(
  place="data_dir",
  has_default_place=True,
  terms="Labeled Faces in the Wild (Huang et al. 2007), news photographs gathered for research",
)
def make(
  *,
  data_dir: str = "",
  split: Annotated[str, Option(TEXT, "a split, or a part of one, such as train[:1000]")] = "train",
  download: Annotated[bool, Option(FLAG, "whether it is downloaded where it is not there")] = False,
) -> types.Source:
  """LFW's photographs, 250 x 250 pixels, with the people's names as identities.

  Args:
    data_dir: tensorflow-datasets' directory; '' for its default.
    split: 'train', which holds all 13,233 images, or a part such as 'train[:1000]'.
    download: whether LFW is downloaded and prepared when it is not there, which needs TensorFlow.

  Returns:
    A source without labels.

  Raises:
    InputError: where it is not prepared, or the download fails.
    ValueError: for an unknown split, or files that are not array_record.
  """
  return LfwTfds(tfds_source.prepared("lfw", data_dir, download, _MANUAL), split)
