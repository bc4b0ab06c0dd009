"""A gallery of faces as an active appearance model: textures in one shape, and what is asked of a mean of them.

Source: Cootes et al. 2001, "Active Appearance Models".
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.faces import shape, warping

FACES_PER_SHARE = 4
"""A gallery has at least so many faces for each of the k: half are drawn by lot, and of these the nearest weigh."""

_BATCH = 32  # faces of the gallery at a time
_ANSWER = 4.0  # weight of the service's probabilities against one standard deviation of a descriptor
_POOL = 8  # faces for each of the k that may weigh at all
_SAME = 1e-4  # a gallery face nearer than this is the face itself, and does not count
_FAR = 1e4  # distance that is added to faces that are left out
_STEPS = 24  # bisections of the sharpness
_SHARPEST = 64.0


def condition(answer, descriptor):
  """What a mean is asked to agree in: the service's probabilities [..., C] and `shape.descriptor` [..., D], joined."""
  return jnp.concatenate([_ANSWER * answer, descriptor], -1)


def prepare(
  gallery: np.ndarray,
  eyes: np.ndarray | None,
  service: types.Service | None,
  landmarker: types.Landmarker | None,
  components: int,
) -> dict[str, Any]:
  """The gallery's textures, conditions and shape model, as parameters.

  Args:
    gallery: uint8 [N, S, S, 3].
    eyes: float32 [N, 4], as in types.Face; not read with a landmarker.
    service: gives probabilities; None: the condition has a single 0 in their place.
    landmarker: finds the landmarks; None: those of a plain frontal face on the eyes.
    components: of the shape model.

  Returns:
    {"texture": uint8 [N, S, S, 3] in the mean shape, "condition": float32 [N, C + D], "scale": float32 [C + D] by
    which differences are divided, "shape": ShapeModel}.
  """
  side = gallery.shape[1]

  @jax.jit
  def look(params, places, image, eyes):
    image = image.astype(jnp.float32) / 255
    landmarks = landmarker.apply(places, image) if landmarker else shape.by_eyes(eyes)
    answer = jax.nn.softmax(service.apply(params, image), -1) if service else jnp.zeros((len(image), 1))
    return landmarks, condition(answer, shape.descriptor(landmarks))

  given = (service.params if service else (), landmarker.params if landmarker else ())
  eyes = np.zeros((len(gallery), 4), np.float32) if eyes is None else eyes
  landmarks, conditions = _in_batches(functools.partial(look, *given), gallery, eyes)
  model = shape.fit(landmarks, side, components)

  @jax.jit
  def bend(mean, image, landmarks):
    to_mean = lambda x, at: warping.warp(x, at, mean, (side, side))
    made = jax.vmap(to_mean)(image.astype(jnp.float32), landmarks)
    return (jnp.rint(jnp.clip(made, 0, 255)).astype(jnp.uint8),)

  (texture,) = _in_batches(functools.partial(bend, model.mean), gallery, landmarks)
  scale = np.ones(conditions.shape[-1], np.float32)
  scale[-shape.NUM_DESCRIPTORS :] = np.maximum(conditions[:, -shape.NUM_DESCRIPTORS :].std(0), 1e-3)
  return {"texture": texture, "condition": conditions, "scale": scale, "shape": model}


def mean_texture(params, wanted, key, k):
  """The weighted mean texture [S, S, 3] float32 in [0, 1] of gallery faces whose condition is near `wanted`.

  Weights fall with the squared distance, as fast as leaves none above 1/k. Half of the gallery is drawn by `key`. A
  face whose condition is exactly the wanted one is the face itself, met in training, and is left out.

  Args:
    params: see `prepare`.
    wanted: [C + D], see `condition`.
    key: of the lot.
    k: at least 2.
  """
  distance = jnp.sum(jnp.square((params["condition"] - wanted) / params["scale"]), -1)
  lot = jax.random.uniform(key, distance.shape)
  left_out = (lot > jnp.median(lot)) | (distance < _SAME)
  # Finite, so that there is a mean also where all of a small gallery is left out.
  nearness, chosen = jax.lax.top_k(-distance - _FAR * left_out, min(_POOL * k, len(distance)))
  weight = _capped_softmax(nearness, 1 / k)
  return jnp.tensordot(weight, jnp.asarray(params["texture"])[chosen].astype(jnp.float32), 1) / 255


def place(model: shape.ShapeModel, texture, landmarks, size):
  """The texture [S, S, 3] in the shape of a face: bent onto its landmarks [68, 2], as far as the model can tell them.

  Returns:
    [height, width, 3] of `size`.
  """
  to_mean = shape.similarity(landmarks, jnp.asarray(model.mean))
  told = shape.project(model, shape.transform(to_mean, landmarks))
  return warping.warp(texture, model.mean, shape.transform(shape.inverse(to_mean), told), size)


def _capped_softmax(score, cap):
  """softmax(sharpness * score) [N] with the largest sharpness of at most 64 that leaves no weight above `cap`."""

  def halve(_, ends):
    low, high = ends
    middle = (low + high) / 2
    fine = jax.nn.softmax(middle * score).max() <= cap
    return jnp.where(fine, middle, low), jnp.where(fine, high, middle)

  sharpness, _ = jax.lax.fori_loop(0, _STEPS, halve, (jnp.float32(0), jnp.float32(_SHARPEST)))
  return jax.nn.softmax(sharpness * score)


def _in_batches(function, *arrays):
  """The function's results for rows of the arrays, all batches of one size, so that one program is compiled."""
  rows, count = [], len(arrays[0])
  for start in range(0, count, _BATCH):
    chunk = np.minimum(np.arange(start, start + _BATCH), count - 1)
    rows.append(jax.device_get(function(*(array[chunk] for array in arrays))))
  return [np.concatenate(column)[:count] for column in zip(*rows, strict=True)]
