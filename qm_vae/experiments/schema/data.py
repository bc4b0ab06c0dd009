"""Keys of a dataset: where it is read from, how it is split, how its faces are cropped."""

import dataclasses
from typing import Any

from qm_vae.data import DATASETS
from qm_vae.experiments.schema.fields import group, key, options_of
from qm_vae.experiments.schema.rules import FRACTION
from qm_vae.options import TEXT, Rule, between, integer, is_number, one_of


@dataclasses.dataclass
class Faces:
  """How faces are found and cropped."""

  detector: str = key("haar", one_of("haar", "none"), "haar: OpenCV's frontal cascade; none: the picture is the face")
  margin: float = key(0.1, between(0, 1), "share of the found box's side added on each side")
  scale_factor: float = key(
    1.1, Rule(lambda v: is_number(v) and 1 < v <= 2, "a number above 1, at most 2"), "of two sizes the cascade tries"
  )
  min_neighbors: int = key(5, integer(0), "overlapping hits that make a face")
  min_size: int = key(24, integer(8), "pixels, smallest face looked for")
  eyes: str = key(
    "cascade",
    one_of("cascade", "centerface", "average"),
    "centerface: that detector's points; average: their average place, for data of classifiers",
  )


@dataclasses.dataclass
class OptionalDataset:
  """A dataset that may be left out, by an empty name."""

  name: str = key("", one_of("", *DATASETS.names()), "")
  root: str = key("", TEXT, "folder or file of the dataset; not used by synthetic")
  limit: int = key(0, integer(0), "use only the first records; 0: all")
  split: str = key(
    "identity",
    one_of("identity", "order", "published"),
    "identity: nobody on both sides; order: first records train, as in the paper; published: the dataset's own",
  )
  split_seed: int = key(0, integer(0), "of the split by identity; seeds of a run are judged on the same people")
  train_fraction: float = key(0.8, FRACTION, "share that trains; not used by `published`")
  faces: Faces = group(Faces)
  options: dict[str, dict[str, Any]] = options_of(DATASETS)  # only those of the chosen one are read


@dataclasses.dataclass
class Dataset(OptionalDataset):
  """The dataset of a run."""

  name: str = key("synthetic", one_of(*DATASETS.names()), "")
