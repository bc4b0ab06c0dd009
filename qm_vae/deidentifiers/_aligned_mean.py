"""The mean of a few aligned faces of other people to which the service gives the same answer."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import gaussian, region
from qm_vae.errors import InputError
from qm_vae.faces.alignment import align
from qm_vae.options import NOT_NEGATIVE, Option, integer, member, one_of

_BATCH = 64  # faces of the gallery at a time
_CENTRE, _WIDE, _HIGH = 0.4, 1.15, 1.5  # of the oval: below the eyes, half width, half height; eye distances
_EDGE = 0.3  # width of the oval's soft edge, eye distances


def aligned_mean(params, face, key, *, k, light, context, classify, find_landmarks):
  """Replaces the face by the mean of k gallery faces, drawn by lot among those with the same answer of the service.

  The gallery's faces are aligned by their eyes; their mean is placed on the eyes of the face. Where fewer than k have
  the answer, faces with others fill up.

  Args:
    params: {"gallery" uint8 [N, S, S, 3] aligned, "answer" int32 [N], "service": parameters of `classify`,
      "landmarker": those of `find_landmarks`}.
    face: Face with image [H, W, 3] float32 in [0, 1], mask [H, W, 1] in {0, 1} and eyes [4]; its answer, where
      it has one, stands for that of `classify`.
    key: of the lot.
    k: gallery faces that are averaged.
    light: standard deviation, share of the crop's width, of the Gaussian below which light and colour are the
      original's; 0: the mean's own.
    context: 'keep': outside the face's oval the original, with a soft edge; 'hide': the mean everywhere.
    classify: (service parameters, image [H, W, 3]) -> logits [C]; None: every face has the same answer.
    find_landmarks: (landmarker parameters, image) -> [68, 2], whose eyes count; None: `face.eyes` do.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Newton et al. 2005 average k faces; here they are drawn by lot among those with the same answer.
  """
  inside = face.mask > 0
  shown = jnp.where(inside, face.image, 0.0)
  if find_landmarks:
    face = face._replace(eyes=eyes_of(find_landmarks(params["landmarker"], shown)))
  answer = 0
  if classify:
    answer = jnp.argmax(classify(params["service"], shown) if face.answer is None else face.answer)
  lot = jax.random.uniform(key, params["answer"].shape) + (params["answer"] == answer)
  _, chosen = jax.lax.top_k(lot, k)
  mean = jnp.mean(params["gallery"][chosen].astype(jnp.float32), 0) / 255
  height, width = face.image.shape[:2]
  placed = align(mean, canonical_eyes(mean.shape[0]), face.eyes, (height, width))
  if light:
    low = functools.partial(gaussian.masked_mean, inside=inside, sigma=light * width)
    placed = placed + low(shown) - low(placed)
  if context == "keep":
    weight = jnp.clip((1 - oval_radius(face)) * _HIGH / _EDGE, 0, 1)
    placed = shown + weight * (placed - shown)
  return region.write_inside(face, placed)


def eyes_of(landmarks):
  """Centres of the eyes, [..., 4] as in types.Face, of landmarks [..., 68, 2]."""
  left, right = landmarks[..., 36:42, :].mean(-2), landmarks[..., 42:48, :].mean(-2)
  return jnp.concatenate([left, right], -1)


def oval_radius(face):
  """Distance of every pixel from the centre of the face's oval, [H, W, 1]: 1 on its edge, brow to chin."""
  left, right = face.eyes[:2], face.eyes[2:]
  across = right - left
  squared = jnp.maximum(jnp.sum(across**2), 1.0)
  height, width = face.image.shape[:2]
  x = jnp.arange(width) + 0.5 - (left[0] + right[0]) / 2
  y = jnp.arange(height)[:, None] + 0.5 - (left[1] + right[1]) / 2
  along, below = (x * across[0] + y * across[1]) / squared, (y * across[0] - x * across[1]) / squared
  return jnp.hypot(along / _WIDE, (below - _CENTRE) / _HIGH)[..., None]


def canonical_eyes(side: int) -> jax.Array:
  """Where the eyes of the gallery's faces are, [4] in pixels of a square of that side."""
  return jnp.asarray(types.AVERAGE_EYES, jnp.float32) * side


@member(needs_gallery=True, needs_service=True, uses_landmarker=True)
def make(
  *,
  k: Annotated[int, Option(integer(1), "faces that are averaged")] = 10,
  light: Annotated[float, Option(NOT_NEGATIVE, "share of the crop's width; 0: light and colour of the mean")] = 0.11,
  context: Annotated[str, Option(one_of("keep", "hide"), "what lies outside the face's oval")] = "keep",
  gallery: np.ndarray | None = None,
  identity: np.ndarray | None = None,
  eyes: np.ndarray | None = None,
  service: types.Service | None = None,
  landmarker: types.Landmarker | None = None,
) -> types.Deidentifier:
  """The mean of `k` faces of a gallery that share the service's answer.

  Args:
    k: faces that are averaged.
    light: see `aligned_mean`.
    context: see `aligned_mean`.
    gallery: uint8 [N, S, S, 3], faces of other people; a run gives its training faces.
    identity: unused here; galleries come with it.
    eyes: float32 [N, 4], as in Face.
    service: whose answer must be the same; None: any face may be averaged.
    landmarker: places the eyes of the gallery and of the face; None: `eyes` and the face's own do.

  Raises:
    ValueError: without a gallery, or with fewer than k faces.
  """
  del identity
  if gallery is None or eyes is None:
    raise InputError(
      "aligned_mean: gallery is None; give the faces to be averaged, as a run does with its training faces"
    )
  if len(gallery) < k:
    raise InputError(f"aligned_mean: k is {k}, but the gallery has {len(gallery)} faces; lower k or give more faces")
  aligned, answer = _prepared(np.asarray(gallery), np.asarray(eyes, np.float32), service, landmarker)
  params: dict[str, Any] = {"gallery": aligned, "answer": answer}
  params |= {"service": service.params if service else (), "landmarker": landmarker.params if landmarker else ()}
  classify: Callable | None = service.apply if service else None
  apply = functools.partial(
    aligned_mean,
    k=k,
    light=float(light),
    context=context,
    classify=classify,
    find_landmarks=landmarker.apply if landmarker else None,
  )
  return types.Deidentifier(params, apply, needs=() if landmarker else ("eyes",), keeps_context=context == "keep")


def _prepared(gallery, eyes, service, landmarker):
  """The gallery aligned, uint8 [N, S, S, 3], and the service's answers on it, int32 [N]."""
  side = gallery.shape[1]

  @jax.jit
  def prepare(params, places, image, eyes):
    image = image.astype(jnp.float32) / 255
    if landmarker:
      eyes = eyes_of(landmarker.apply(places, image))
    to_canonical = lambda x, e: align(x, e, canonical_eyes(side), (side, side))
    answer = jnp.argmax(service.apply(params, image), -1) if service else jnp.zeros(len(image), jnp.int32)
    return jnp.rint(jax.vmap(to_canonical)(image, eyes) * 255).astype(jnp.uint8), answer.astype(jnp.int32)

  params, places, rows = service.params if service else (), landmarker.params if landmarker else (), []
  for start in range(0, len(gallery), _BATCH):
    chunk = np.minimum(np.arange(start, start + _BATCH), len(gallery) - 1)  # one program for all batches
    rows.append(jax.device_get(prepare(params, places, gallery[chunk], eyes[chunk])))
  aligned, answer = (np.concatenate(column)[: len(gallery)] for column in zip(*rows, strict=True))
  return aligned, answer
