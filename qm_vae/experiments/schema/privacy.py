"""Keys of the attacks: who is attacked, by whom, in which gallery."""

import dataclasses

from qm_vae.experiments.schema.data import OptionalDataset
from qm_vae.experiments.schema.fields import group, key
from qm_vae.experiments.schema.rules import PATHS, SIZES, names_from
from qm_vae.options import FLAG, POSITIVE, integer, one_of
from qm_vae.privacy.attackers import ATTACKERS


@dataclasses.dataclass
class Privacy:
  """What the privacy table measures."""

  attackers: tuple[str, ...] = key(
    ("naive", "linkage", "codes", "residual"),
    names_from(ATTACKERS.names()),
    "() measures no privacy; parrot, cross and inversion train networks, minutes each on a CPU",
  )
  embedders: tuple[str, ...] = key(
    ("",), PATHS, "face recognisers: folders or ONNX files; '': train `embedder`; (): measures no privacy"
  )
  views: bool = key(True, FLAG, "whether the views and their union are attacked too")
  people: int = key(500, integer(10), "attacked at most")
  probes: int = key(1, integer(1), "protected pictures of each, at most")
  crowds: tuple[int, ...] = key((100, 500), SIZES, "people in the gallery of each column of the table")
  effort: float = key(1.0, POSITIVE, "multiplies the epochs of attackers that learn")
  eyes: str = key(
    "original",
    one_of("original", "average"),
    "where attackers take the eyes in a protected picture to be: known (the worst case), or the same for all",
  )
  seed: int = key(0, integer(0), "of who is attacked")
  data: OptionalDataset = group(OptionalDataset)
