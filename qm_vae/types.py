"""The words that every part of the house shares.

Arrays that live on the device are float32 in [0, 1], RGB, channels last. Arrays that live on the host are what the
files hold: uint8 in 0..255, RGB.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes in the order of FER2013's label file (Goodfellow et al. 2013)."""

UNKNOWN = -1
"""Identity or label of a record whose dataset carries none."""


class Face(NamedTuple):
  """One face crop (or, with leading dimensions, many)."""

  image: jax.Array  # [..., H, W, 3] float32 in [0, 1]
  mask: jax.Array  # [..., H, W, 1] float32 in {0, 1}: the region that a de-identifier may change
  eyes: (
    jax.Array
  )  # [..., 4] float32, pixels of the crop: x, y of the eye at the image's left, x, y of the one at its right


class Deidentifier(NamedTuple):
  """A de-identifier: `apply(params, face, key) -> image` for one example (Qiu et al. 2022, Sec. 3.1)."""

  params: Any  # pytree, () where nothing was learned
  apply: Callable[[Any, Face, jax.Array], jax.Array]


class Quantized(NamedTuple):
  """What a quantizer returns for a batch of encodings z_e [B, h, w, D]."""

  z_q: jax.Array  # [B, h, w, D], straight-through: value of the codes, gradient of z_e
  ids: jax.Array  # [B, h, w] int32 in [0, K)
  codebook: jax.Array  # [B] || sg[z_e] - e ||^2, mean over positions and dimensions (Eq. 7, third term)
  commitment: jax.Array  # [B] || z_e - sg[e] ||^2, the same mean, without beta (Eq. 7, fourth term)
  counts: jax.Array  # [K] float32, how often each code was chosen in this batch (masked examples excluded)
  state: Any  # the quantizer's carried state after this batch; unchanged unless `train`


class Quantizer(NamedTuple):
  """A quantizer as three pure functions."""

  init: Callable  # (key, z_e [N, D]) -> (params trained by gradient, state carried)
  apply: Callable  # (params, state, z_e [B, h, w, D], key, *, train, mask [B] or None) -> Quantized
  decode: Callable  # (params, state, ids [..., h, w]) -> z_q [..., h, w, D], bit for bit what `apply` returned
  num_codes: int


class Service(NamedTuple):
  """A frozen service in the graph: `apply(params, image [..., H, W, 3] in [0, 1]) -> logits [..., C]`."""

  params: Any
  apply: Callable[[Any, jax.Array], jax.Array]
  classes: tuple[str, ...]


class Record(NamedTuple):
  """One photograph of a dataset, as stored."""

  image: np.ndarray  # uint8 [H0, W0, 3] RGB
  name: str  # unique in its source: a path relative to its root, or an index
  identity: int = UNKNOWN
  label: int = UNKNOWN  # index into the source's `classes`


class Source(Protocol):
  """A random-access source of records with known length and stable order.

  `source[i]` raises `UnreadableImage` for a file that cannot be decoded; the others stay readable.
  """

  classes: tuple[str, ...]  # names of the labels; () when the dataset carries none
  identities: tuple[str, ...]  # names of the identities; () when the dataset carries none
  fingerprint: str  # changes whenever a file or a setting that shapes the records changes

  def __len__(self) -> int: ...

  def __getitem__(self, index: int) -> Record: ...


class UnreadableImage(ValueError):
  """A file that is no usable image. `name` says which, `reason` why."""

  def __init__(self, name: str, reason: str):
    super().__init__(f"{name}: {reason}")
    self.name = name
    self.reason = reason


class Missed(NamedTuple):
  """A record that gave no face crop, and why."""

  name: str
  reason: str


@dataclasses.dataclass(frozen=True)
class FaceSet:
  """Face crops of one dataset, on the host; `len()` counts faces."""

  image: np.ndarray  # uint8 [N, S, S, 3]
  mask: np.ndarray  # uint8 [N, S, S, 1] in {0, 1}: 1 where the crop lies inside its frame
  eyes: np.ndarray  # float32 [N, 4], see Face.eyes
  box: np.ndarray  # float32 [N, 3]: x, y of the crop's top left corner and its side, pixels of the frame
  identity: np.ndarray  # int32 [N]
  label: np.ndarray  # int32 [N]
  index: np.ndarray  # int32 [N], position of the record in its source
  name: tuple[str, ...]
  classes: tuple[str, ...]
  identities: tuple[str, ...]
  missed: tuple[Missed, ...]

  def __len__(self) -> int:
    return len(self.image)

  def take(self, positions) -> "FaceSet":
    """The faces at `positions` (integers [M]), in that order; `missed` goes along unchanged."""
    positions = np.asarray(positions, np.int64)
    rows = {
      key: getattr(self, key)[positions] for key in ("image", "mask", "eyes", "box", "identity", "label", "index")
    }
    return dataclasses.replace(self, name=tuple(self.name[i] for i in positions), **rows)
