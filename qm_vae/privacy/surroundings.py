"""Whether the face in a protected picture tells anything about the person that its surroundings do not tell."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.faces.alignment import align
from qm_vae.metrics import face_region, paired
from qm_vae.privacy import contract, ranking, untrained
from qm_vae.privacy.attackers import Tools
from qm_vae.privacy.protocol import Protocol

GREY = 128
"""Level of the oval that takes the face's place."""

_EDGE = 0.2  # of the oval's radius: outside of it the average face fades into the picture, and its colour is matched
_BATCH = 64  # faces at a time, so that one program is compiled


def without_face(pairs: contract.Pairs) -> contract.Pairs:
  """The same faces, the oval from brow to chin of each protected one in one grey; hair, ears and background stay."""
  oval = _radius(pairs) <= 1
  return _with(pairs, np.where(oval[..., None], np.uint8(GREY), pairs.protected))


def with_average_face(pairs: contract.Pairs) -> contract.Pairs:
  """The same faces, the oval of each protected one showing the mean of all of them in the colour around the oval.

  A recogniser makes more of hair and head around a face than around a grey oval, although this face is everybody's.
  """
  height, width = pairs.protected.shape[1:3]
  canonical = np.multiply(types.AVERAGE_EYES, (width, height) * 2).astype(np.float32)

  @jax.jit
  def gathered(image, eyes):
    return jax.vmap(lambda x, e: align(x, e, canonical, (height, width)))(image.astype(jnp.float32), eyes)

  @jax.jit
  def placed(mean, image, eyes, radius):
    face = jax.vmap(lambda e: align(mean, canonical, e, (height, width)))(eyes)
    around = ((radius > 1) & (radius <= 1 + _EDGE)).astype(jnp.float32)
    colour = lambda x: jnp.sum(x * around, (1, 2), keepdims=True) / jnp.maximum(around.sum((1, 2), keepdims=True), 1)
    face = face + colour(image.astype(jnp.float32)) - colour(face)
    weight = jnp.clip((1 + _EDGE - radius) / _EDGE, 0, 1)
    return jnp.rint(jnp.clip(image + weight * (face - image), 0, 255)).astype(jnp.uint8)

  eyes, radius = _eyes(pairs), _radius(pairs)[..., None].astype(np.float32)
  total = sum(chunk.sum(0, dtype=np.float64) for chunk in _in_batches(gathered, pairs.protected, eyes))
  mean = jnp.asarray(total / max(len(pairs), 1), jnp.float32)
  made = list(_in_batches(functools.partial(placed, mean), pairs.protected, eyes, radius))
  return _with(pairs, np.concatenate(made) if made else pairs.protected)


WITHOUT = {"blanked": without_face, "averaged": with_average_face}
"""Ways to take the face out of its surroundings, by their key in the report."""


def compare(pairs: contract.Pairs, chosen: Protocol, tools: Mapping[str, Tools], attackers: Iterable[str]) -> dict:
  """Rank 1 of one method's pictures against rank 1 of the same with the face taken out in each way of `WITHOUT`.

  Each side has its strongest attacker of those that train no network, fitted on pictures of its own kind. The test is
  exact and two-sided, against the way that leaves most; it takes each person's first probe, and a tie counts as a
  success where more than half of its orders name the person.

  Args:
    pairs: all faces under the method.
    chosen: who is attacked and who teaches.
    tools: by the recogniser's name.
    attackers: names in ATTACKERS.

  Returns:
    {"output", and each of `WITHOUT`: as `untrained.strongest`; "against": the way that leaves most; "test": as
    `paired.mcnemar`, the output first}.
  """
  gallery, probe = pairs.identity[chosen.gallery], pairs.identity[chosen.probe]
  _, first = np.unique(probe, return_index=True)
  found, hits = {}, {}
  for name, one in {"output": lambda x: x, **WITHOUT}.items():
    scores = untrained.scores(one(pairs), chosen, tools, attackers)
    found[name] = untrained.strongest(scores, probe, gallery)
    best = scores[found[name]["attacker"], found[name]["embedder"]]
    hits[name] = ranking.hits(best, probe, gallery, 1)[first] > 0.5
  most = max(WITHOUT, key=lambda name: found[name]["rank_1"]["value"])
  return found | {"against": most, "test": paired.mcnemar(hits["output"], hits[most])}


def _radius(pairs):
  """Distance of every pixel from the centre of the face's oval, [N, H, W]: 1 on its edge."""
  return np.stack([face_region.radius(eyes, pairs.protected.shape[1:3]) for eyes in _eyes(pairs)])


def _eyes(pairs):
  """Where each face's eyes are, [N, 4]; where nobody found them, where they are on average."""
  height, width = pairs.protected.shape[1:3]
  apart = np.hypot(*(pairs.eyes[:, 2:] - pairs.eyes[:, :2]).T)
  sound = np.isfinite(pairs.eyes).all(1) & (apart >= 2)  # pixels
  average = np.multiply(types.AVERAGE_EYES, (width, height) * 2)
  return np.where(sound[:, None], pairs.eyes, average).astype(np.float32)


def _with(pairs, image):
  return dataclasses.replace(pairs, protected=image, pixels=image, codes=None)


def _in_batches(function, *arrays):
  """The function's results for rows of the arrays, batch by batch."""
  count = len(arrays[0])
  for start in range(0, count, _BATCH):
    chunk = np.minimum(np.arange(start, start + _BATCH), count - 1)
    yield np.asarray(function(*(array[chunk] for array in arrays)))[: count - start]
