"""Faces of many frames protected by one compiled program at a few fixed batch sizes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.types import Deidentifier, Face, Landmarker, Service

SIZES = (4, 16)
"""Faces at a time: a batch is padded to the smallest size that holds it, so that two programs are compiled in all."""

_PLACED_FROM = 28
"""Pixels of the frame, side of a crop from which on landmarks can be trusted: of 400 faces shrunk to 28 pixels nine in
ten have theirs within 0.06 eye distances of those of the face at 64 pixels, at 16 pixels within 0.9."""

_ROUNDING = 0.01  # by which a picture may leave [0, 1]


class Method(NamedTuple):
  """How faces are hidden, whatever it is made of."""

  params: Any  # arguments of the compiled program
  apply: Callable[[Any, Face, jax.Array], jax.Array]  # (params, one face, key) -> image [S, S, 3] in [0, 1]
  size: int  # pixels, side of the crop
  margin: float | None  # share of the box's side that the method wants around it; None: whatever is asked for
  needs: tuple[str, ...]  # of types.NEEDS: what must be found in a face
  smallest: int  # pixels of the frame, side of a crop: of smaller ones it leaves more than what is known of it says
  description: dict[str, Any]  # what it is, for the record
  landmarker: Landmarker | None = None  # frames faces as the method knows them; None: the detector's box does
  keeps_context: bool = False  # around the face it leaves the crop as it is, and the frame's own pixels may stay there
  of_square: Callable[[np.ndarray, int], np.ndarray] | None = None  # instead of `apply`, for what counts in pixels of
  # the frame: (crop uint8 [S, S, 3], side of its square in the frame) -> uint8 [S, S, 3]
  service: Service | None = None  # whose answer the method keeps; it takes Face.answer for that of a face that has one


def of_deidentifier(
  deidentifier: Deidentifier,
  size: int,
  description: dict[str, Any],
  landmarker: Landmarker | None = None,
  service: Service | None = None,
) -> Method:
  """A de-identifier as a method for crops of `size` pixels."""
  return Method(
    deidentifier.params,
    deidentifier.apply,
    size,
    None,
    deidentifier.needs,
    _PLACED_FROM if landmarker else 0,
    description,
    landmarker,
    deidentifier.keeps_context,
    service=service,
  )


def of_function(function: Callable[[np.ndarray], np.ndarray], size: int) -> Method:
  """A function of one crop, uint8 [S, S, 3] -> uint8 [S, S, 3], as a method; it runs on the host, crop by crop."""
  name = getattr(function, "__name__", type(function).__name__)

  def apply(params, face, key):
    del params, key
    shape = jax.ShapeDtypeStruct(face.image.shape, np.uint8)
    image = jnp.rint(face.image * 255).astype(jnp.uint8)
    made = jax.pure_callback(lambda x: _checked(name, function, x), shape, image, vmap_method="sequential")
    return made.astype(jnp.float32) / 255

  return Method((), apply, size, None, (), 0, {"name": name})


def _checked(name, function, image):
  """What the function makes of an image; raises ValueError where that is no image of the same size."""
  made = np.asarray(function(np.asarray(image)))
  if made.dtype != np.uint8 or made.shape != image.shape:
    raise InputError(f"{name} returned {made.dtype} {list(made.shape)}; it must return uint8 {list(image.shape)}")
  return made


class Protector:
  """Protects faces with one method; everything that a track shows is drawn from one key."""

  def __init__(self, method: Method):
    """Compiles at the first face."""
    self._params = jax.device_put(method.params)

    @jax.jit
    def protect(params, image, eyes, landmarks, track, key, answer):
      mask = jnp.ones((*image.shape[:-1], 1), jnp.float32)
      face = Face(image.astype(jnp.float32) / 255, mask, eyes, landmarks, answer)
      keys = jax.vmap(jax.random.fold_in, (None, 0))(key, track)
      made = jax.vmap(method.apply, (None, 0, 0))(params, face, keys)
      if made.shape != image.shape:
        raise InputError(
          f"the method {method.description.get('name')} makes {list(made.shape[1:])} of a crop of "
          f"{list(image.shape[1:])}; it must keep the shape"
        )
      within = (made >= -_ROUNDING) & (made <= 1 + _ROUNDING)  # False for NaN, too
      finite = within.all((1, 2, 3))
      return jnp.rint(jnp.clip(jnp.nan_to_num(made), 0, 1) * 255).astype(jnp.uint8), finite

    self._protect = protect

  def __call__(
    self,
    image: np.ndarray,
    eyes: np.ndarray,
    landmarks: np.ndarray | None,
    track: np.ndarray,
    key: jax.Array,
    answer: np.ndarray | None = None,
  ) -> tuple[np.ndarray, np.ndarray]:
    """Protected faces.

    The whole crop is taken for the face, also what lies outside the frame, where a crop repeats the frame's border:
    else the border's own pixels would shine through when the crop is enlarged.

    Args:
      image: uint8 [N, S, S, 3], crops of the method's size.
      eyes: float32 [N, 4], as in Face.
      landmarks: float32 [N, 68, 2], as in Face; None where the method needs none.
      track: integers [N]; the same number draws the same noise.
      key: of what is shown; all noise follows from it and a face's track.
      answer: float32 [N, C], as in Face; None where the method asks its service itself, or has none.

    Returns:
      uint8 [N, S, S, 3], and bool [N]: False where the method gave no picture in [0, 1]; nothing of it may be shown.
    """
    made, finite = [np.zeros_like(image[:0])], [np.zeros(0, bool)]
    for start in range(0, len(image), SIZES[-1]):
      count = len(image[start : start + SIZES[-1]])
      size = next(size for size in SIZES if size >= count)
      rows = start + np.minimum(np.arange(size), count - 1)
      points, told = (None if x is None else x[rows] for x in (landmarks, answer))
      numbers = np.asarray(track, np.uint32)[rows]
      result = self._protect(self._params, image[rows], eyes[rows], points, numbers, key, told)
      result = jax.device_get(result)
      made.append(result[0][:count])
      finite.append(result[1][:count])
    return np.concatenate(made), np.concatenate(finite)
