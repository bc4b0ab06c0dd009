"""Keys of networks and how they are trained."""

import dataclasses

from qm_vae.experiments.schema.fields import group, key
from qm_vae.experiments.schema.rules import DECAY, SIZES, multiple_of
from qm_vae.models.embedder import EMBEDDER_NETWORKS
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.models.presets import PRESETS
from qm_vae.options import FLAG, NOT_NEGATIVE, POSITIVE, TEXT, between, integer, one_of
from qm_vae.quantizers import QUANTIZERS


@dataclasses.dataclass
class Augmentation:
  """Random changes of faces (data/augment.py); 0 leaves one out."""

  shift: float = key(0.0, between(0, 0.5), "share of the side")
  scale: float = key(0.0, between(0, 1), "sides are multiplied by exp(u), |u| <= scale")
  flip: float = key(0.0, between(0, 1), "probability")
  blur: float = key(0.0, NOT_NEGATIVE, "pixels, the largest sigma")
  contrast: float = key(0.0, between(0, 1), "relative")
  brightness: float = key(0.0, between(0, 1), "of the range")
  noise: float = key(0.0, between(0, 1), "of the range, standard deviation")
  channels: float = key(0.0, between(0, 1), "share of a mixture of all channels in each (augment.mix_channels)")
  jpeg: float = key(0.0, between(0, 1), "strength of errors as JPEG makes them; 1 is about quality 10")


@dataclasses.dataclass
class Network:
  """An expression network: the service, a judge, one of the ensemble."""

  checkpoint: str = key("", TEXT, "folder of qm_vae.convert or configs/expression.py; '': train on service_data")
  architecture: str = key("mini_xception", one_of(*EXPRESSION_NETWORKS.names()), "")
  seed: int = key(0, integer(0), "")
  input_size: int = key(48, integer(16), "pixels that the network sees")
  epochs: int = key(6, integer(1), "")
  batch_size: int = key(32, integer(1), "faces")
  learning_rate: float = key(2e-3, POSITIVE, "")
  weight_decay: float = key(1e-4, NOT_NEGATIVE, "")
  label_smoothing: float = key(0.1, DECAY, "")
  augment: Augmentation = group(Augmentation, shift=0.08, scale=0.1, flip=0.5, contrast=0.2, brightness=0.1, noise=0.02)


@dataclasses.dataclass
class Embedder:
  """The face recogniser that is trained where `privacy.embedders` has an empty path."""

  architecture: str = key("small", one_of(*EMBEDDER_NETWORKS.names()), "")
  seed: int = key(0, integer(0), "")
  input_size: int = key(48, multiple_of(16, 16), "pixels a side that the network sees")
  epochs: int = key(6, integer(1), "")
  batch_size: int = key(32, integer(1), "faces")
  learning_rate: float = key(2e-3, POSITIVE, "")
  weight_decay: float = key(1e-2, NOT_NEGATIVE, "")
  margin: float = key(0.3, between(0, 1), "radians, of ArcFace")
  augment: Augmentation = group(Augmentation, shift=0.05, scale=0.05, flip=0.5, contrast=0.2, brightness=0.1)


@dataclasses.dataclass
class Model:
  """The encoder and decoder."""

  preset: str = key("auto", one_of("auto", *PRESETS), "paper: hidden 128, small: hidden 48; auto: small on a CPU")
  dtype: str = key("float32", one_of("float32", "bfloat16"), "what the convolutions compute in")
  tokens: int = key(0, integer(0), "codes that describe a face in all; 0: one for every 4 x 4 pixels, as in the paper")
  refine: bool = key(False, FLAG, "the decoder's image changes the first view instead of standing for itself")


@dataclasses.dataclass
class Vq:
  """Options of the quantizer `vq`."""

  num_codes: int = key(512, integer(2), "")
  codebook: str = key("ema", one_of("ema", "gradient"), "gradient: Eq. 7's third term")
  decay: float = key(0.99, DECAY, "of the moving average")
  restart_share: float = key(0.2, DECAY, "a code used less than this share of the mean use is drawn anew (ema only)")
  normalize: bool = key(False, FLAG, "codes and encodings on the unit sphere")
  estimator: str = key("straight_through", one_of("straight_through", "rotation"), "rotation: Fifty et al. 2024")


@dataclasses.dataclass
class Fsq:
  """Options of the quantizer `fsq`."""

  levels: tuple[int, ...] = key((8, 5, 5, 5), SIZES, "values per channel")


@dataclasses.dataclass
class Quantizer:
  """The quantizer and the options of each kind."""

  name: str = key("vq", one_of(*QUANTIZERS.names()), "")
  code_dim: int = key(64, integer(1), "channels of a code; vq only, for fsq it is the number of levels")
  vq: Vq = group(Vq)
  fsq: Fsq = group(Fsq)
