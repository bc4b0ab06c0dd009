"""Keys of the paper's learned rivals, U-GAT-IT and AMT-GAN."""

import dataclasses

from qm_vae.experiments.schema.fields import group, key
from qm_vae.experiments.schema.networks import Augmentation
from qm_vae.experiments.schema.rules import DECAY, PATHS, multiple_of
from qm_vae.options import FLAG, NOT_NEGATIVE, TEXT, integer


@dataclasses.dataclass
class UgatitWeights:
  """Of the loss of U-GAT-IT."""

  adversarial: float = key(1.0, NOT_NEGATIVE, "")
  cycle: float = key(10.0, NOT_NEGATIVE, "")
  identity: float = key(10.0, NOT_NEGATIVE, "")
  cam: float = key(1000.0, NOT_NEGATIVE, "")


@dataclasses.dataclass
class Ugatit:
  """U-GAT-IT (Kim et al. 2020)."""

  light: bool = key(True, FLAG, "10.6 million parameters; False: AdaLIN sees every feature, 279 million at 256 pixels")
  channels: int = key(64, integer(1), "of the first layers")
  blocks: int = key(4, integer(1), "residual blocks before and after the attention, each")
  global_layers: int = key(7, integer(3, 8), "of the discriminators of whole pictures, which need 2^layers pixels")
  local_layers: int = key(5, integer(3, 8), "of those of patches")
  weights: UgatitWeights = group(UgatitWeights)
  weight_decay: float = key(1e-4, NOT_NEGATIVE, "added to the gradient, as PyTorch's Adam does")
  average: float = key(0.999, DECAY, "of the generators' moving average")


@dataclasses.dataclass
class AmtGanWeights:
  """Of the loss of AMT-GAN."""

  gan: float = key(10.0, NOT_NEGATIVE, "")
  cycle: float = key(10.0, NOT_NEGATIVE, "")
  makeup: float = key(2.0, NOT_NEGATIVE, "")
  identity: float = key(5.0, NOT_NEGATIVE, "")
  attack: float = key(5.0, NOT_NEGATIVE, "")


@dataclasses.dataclass
class AmtGan:
  """AMT-GAN (Hu et al. 2022)."""

  embedders: tuple[str, ...] = key((), PATHS, "folders of face recognisers to be misled, at least one for this task")
  target: str = key("", TEXT, "name of the plain training face to be impersonated; '': the first")
  channels: int = key(64, multiple_of(2, 2), "of the first layers")
  blocks: int = key(4, integer(1), "residual-in-residual dense blocks of the regularizer")
  draws: int = key(5, integer(1), "of `diversity`, for every output and recogniser")
  diversity: Augmentation = group(Augmentation, shift=0.05, scale=0.05, noise=0.05)  # before a recogniser
  weights: AmtGanWeights = group(AmtGanWeights)
