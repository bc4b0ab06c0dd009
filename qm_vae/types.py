"""Types shared by all layers.

Arrays on the device are float32 in [0, 1], RGB, channels last. Arrays on the host have the files' format: uint8 in
0..255, RGB.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from qm_vae.errors import InputError

if TYPE_CHECKING:  # programs that only parse a command line do not wait for it
  import jax

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes in the order of FER2013's label file (Goodfellow et al. 2013)."""

AVERAGE_EYES = (0.35, 0.4, 0.6417, 0.4)
"""Average eye positions in a crop with the default margin, as shares of its sides: x, y left, x, y right."""

UNKNOWN = -1
"""Identity or label of a record whose dataset has none."""


class Face(NamedTuple):
  """One face crop, or a batch of them: every field has the same leading dimensions."""

  image: jax.Array  # [..., H, W, 3] float32 in [0, 1]
  mask: jax.Array  # [..., H, W, 1] float32 in {0, 1}: the region that a de-identifier may change
  # [..., 4] float32, pixels of the crop: x, y of the eye at the image's left, x, y of the one at its right
  eyes: jax.Array
  landmarks: jax.Array | None = None  # [..., 68, 2] float32, x, y in pixels of the crop, in the order of iBUG 300-W
  # [..., C] float32, probabilities that count as the answer of the service on this face; None: who needs it asks
  answer: jax.Array | None = None


NEEDS = ("eyes", "landmarks")
"""What a de-identifier may need besides the pixels of a face."""


class Deidentifier(NamedTuple):
  """A de-identifier: `apply(params, face, key) -> image` for one example (Qiu et al. 2022, Sec. 3.1)."""

  params: Any  # pytree, () where nothing was learned
  apply: Callable[[Any, Face, jax.Array], jax.Array]
  needs: tuple[str, ...] = ()  # of NEEDS: fields of the face that must be found, not assumed
  keeps_context: bool = False  # outside one convex region the image is returned bit for bit

  def __call__(self, images, *, seed: int = 0, mask=None, eyes=None, landmarks=None) -> np.ndarray:
    """Face crops de-identified, all of them in one compiled program.

    Args:
      images: uint8 [N, H, W, 3] or [H, W, 3] RGB, one face each.
      seed: of the noise; crop i of a call draws from (seed, i).
      mask: numbers [N, H, W, 1] in {0, 1}, the region that may change; None: all of it.
      eyes: numbers [N, 4], as in Face; None: where eyes are on average in a crop with the default margin.
      landmarks: numbers [N, 68, 2], as in Face.

    Returns:
      uint8, of the shape of `images`.

    Raises:
      ValueError: for arrays of another shape or type, and without landmarks that are needed.

    Examples:
      >>> import qm_vae
      >>> crops = np.full((2, 32, 32, 3), 200, np.uint8)
      >>> qm_vae.deidentifiers.solid()(crops).max()
      np.uint8(0)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[-1] != 3:
      raise InputError(
        f"images are {images.dtype} {list(images.shape)}; they must be uint8 [N, H, W, 3] or [H, W, 3], RGB"
      )
    if images.ndim == 3:
      single = [None if x is None else np.asarray(x)[None] for x in (mask, eyes, landmarks)]
      return self(images[None], seed=seed, mask=single[0], eyes=single[1], landmarks=single[2])[0]
    if "landmarks" in self.needs and landmarks is None:
      raise InputError("this de-identifier needs landmarks; give [N, 68, 2] in pixels of the crops, or load a network")
    count, height, width = images.shape[:3]
    given = {
      "mask": (np.ones((count, height, width, 1)) if mask is None else mask, (count, height, width, 1)),
      "eyes": (
        np.tile(np.multiply(AVERAGE_EYES, (width, height) * 2), (count, 1)) if eyes is None else eyes,
        (count, 4),
      ),
      "landmarks": (landmarks, (count, 68, 2)),
    }
    for name, (value, shape) in given.items():
      if value is not None and np.shape(value) != shape:
        raise InputError(f"{name} is {list(np.shape(value))}; for these images it must be {list(shape)}")
    fields = {name: None if value is None else np.asarray(value, np.float32) for name, (value, _) in given.items()}
    if not count:
      return images.copy()
    return np.asarray(_on_crops()(self.apply, self.params, images, fields, seed))


@functools.cache
def _on_crops():
  """The compiled function behind `Deidentifier.__call__`, made when first needed."""
  import jax
  import jax.numpy as jnp

  @functools.partial(jax.jit, static_argnums=0)
  def of_all(apply, params, images, fields, keys):
    faces = Face(image=images.astype(jnp.float32) / 255, **fields)
    made = jax.vmap(apply, (None, 0, 0))(params, faces, keys)
    return jnp.rint(jnp.clip(made, 0, 1) * 255).astype(jnp.uint8)

  return lambda apply, params, images, fields, seed: of_all(
    apply, params, images, fields, jax.random.split(jax.random.key(seed), len(images))
  )


class Detections(NamedTuple):
  """The faces found in one frame."""

  boxes: np.ndarray  # float32 [M, 4]: x, y of the top left corner, width, height, pixels of the frame
  scores: np.ndarray  # float32 [M] in [0, 1], how sure the detector is
  points: np.ndarray | None = None  # float32 [M, 5, 2], pixels of the frame: x, y of eyes, nose, corners of the mouth,
  # those at the image's left first; None from a detector that tells none


class Detector(NamedTuple):
  """A face detector on the host."""

  find: Callable[[np.ndarray], Detections]  # uint8 [H, W, 3] RGB -> all faces with a score of at least `weak`
  strong: float  # a face at least this sure is believed by itself
  weak: float  # one at least this sure is believed where a face was known before
  description: dict[str, Any]  # what it is and with which settings, for the record


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


class Embedder(NamedTuple):
  """A face-recognition network in the graph: embeddings of the same person point in similar directions."""

  params: Any
  # (params, image [..., H, W, 3] in [0, 1], eyes [..., 4] as in Face) -> [..., D] float32 of length 1
  apply: Callable[[Any, jax.Array, jax.Array], jax.Array]
  name: str


class Landmarker(NamedTuple):
  """A frozen network in the graph that finds the landmarks of a face."""

  params: Any
  apply: Callable[[Any, jax.Array], jax.Array]  # (params, image [..., S, S, 3] in [0, 1]) -> [..., 68, 2], see Face
  features: Callable[[Any, jax.Array], jax.Array]  # the same -> [..., D], what the network's last layer sees


HostEmbedder = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The same for many faces on the host: image uint8 [N, H, W, 3], eyes float32 [N, 4] -> float32 [N, D] of length 1."""


class Record(NamedTuple):
  """One photograph of a dataset, as stored."""

  image: np.ndarray  # uint8 [H0, W0, 3] RGB
  name: str  # unique in its source: a path relative to its root, or an index
  identity: int = UNKNOWN
  label: int = UNKNOWN  # index into the source's `classes`


class Source(Protocol):
  """A random-access source of records with known length and stable order.

  `source[i]` raises `UnreadableImage` for a file that cannot be decoded; the others stay readable. An optional
  attribute `session`, int [len], numbers the sessions of the records, UNKNOWN if not known; people may
  share numbers.
  """

  @property
  def classes(self) -> tuple[str, ...]:
    """Names of the labels; () if the dataset has none."""
    ...

  @property
  def identities(self) -> tuple[str, ...]:
    """Names of the identities; () if the dataset has none."""
    ...

  @property
  def fingerprint(self) -> str:
    """Changes whenever a file or a setting that shapes the records changes."""
    ...

  def __len__(self) -> int: ...

  def __getitem__(self, index: int) -> Record: ...


class UnreadableImage(InputError):
  """A file that is no usable image. `name` says which, `reason` why."""

  def __init__(self, name: str, reason: str):
    super().__init__(f"{name}: {reason}")
    self.name = name
    self.reason = reason


class Missed(NamedTuple):
  """A record without a face crop, and the reason."""

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

  def take(self, positions) -> FaceSet:
    """The faces at `positions` (integers [M]), in that order; `missed` goes along unchanged."""
    positions = np.asarray(positions, np.int64)
    rows = {
      key: getattr(self, key)[positions] for key in ("image", "mask", "eyes", "box", "identity", "label", "index")
    }
    return dataclasses.replace(self, name=tuple(self.name[i] for i in positions), **rows)

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a batch of the faces at `positions`: image, mask, eyes, identity, label."""
    return {key: getattr(self, key)[positions] for key in ("image", "mask", "eyes", "identity", "label")}


class Examples(Protocol):
  """What the training loop and `data.batches` need of a set: FaceSet, or a task's own."""

  def __len__(self) -> int: ...

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The columns [M, ...] of the examples at `positions` [M]."""
    ...


@dataclasses.dataclass(frozen=True)
class Table:
  """Examples as named arrays [N, ...]."""

  columns: dict[str, np.ndarray]

  def __len__(self) -> int:
    return len(next(iter(self.columns.values())))

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The rows at `positions`."""
    return {name: column[positions] for name, column in self.columns.items()}
