"""Whether the face in a protected picture tells anything about the person that its surroundings do not tell."""

import dataclasses
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
  total = sum(chunk.sum(0, dtype=np.float64) for chunk in _in_batches(_gathered, pairs.protected, _eyes(pairs)))
  mean = np.float32(total / max(len(pairs), 1))
  return _placed(pairs, lambda rows: np.broadcast_to(mean, (len(rows), *mean.shape)))


def with_other_face(pairs: contract.Pairs) -> contract.Pairs:
  """The same faces, the oval of each protected one showing that of another person's, drawn by lot, in the colour there.

  Such a picture is as sharp as the published one, and its face tells nothing of the person around it. Where all faces
  are one person's, `without_face`.
  """
  random, count = np.random.default_rng(0), len(pairs)
  if len(np.unique(pairs.identity)) < 2:
    return without_face(pairs)
  donor = np.arange(count)
  while (own := pairs.identity[donor] == pairs.identity).any():
    donor[own] = random.integers(0, count, own.sum())
  eyes = _eyes(pairs)
  return _placed(pairs, lambda rows: _gathered(pairs.protected[donor[rows]], eyes[donor[rows]]))


WITHOUT = {"blanked": without_face, "averaged": with_average_face, "exchanged": with_other_face}
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


@jax.jit
def _gathered(image, eyes):
  """Images [B, H, W, 3] with their eyes in the average place, float32."""
  height, width = image.shape[1:3]
  return jax.vmap(lambda x, e: align(x, e, _canonical(height, width), (height, width)))(image.astype(jnp.float32), eyes)


def _canonical(height, width):
  return jnp.asarray(np.multiply(types.AVERAGE_EYES, (width, height) * 2), jnp.float32)


@jax.jit
def _replaced(face, image, eyes, radius):
  """Images [B, H, W, 3] with a face as of `_gathered` in their ovals, in the colour of the ring around those."""
  height, width = image.shape[1:3]
  face = jax.vmap(lambda x, e: align(x, _canonical(height, width), e, (height, width)))(face, eyes)
  around = ((radius > 1) & (radius <= 1 + _EDGE)).astype(jnp.float32)
  colour = lambda x: jnp.sum(x * around, (1, 2), keepdims=True) / jnp.maximum(around.sum((1, 2), keepdims=True), 1)
  face = face + colour(image.astype(jnp.float32)) - colour(face)
  weight = jnp.clip((1 + _EDGE - radius) / _EDGE, 0, 1)
  return jnp.rint(jnp.clip(image + weight * (face - image), 0, 255)).astype(jnp.uint8)


def _placed(pairs, faces):
  """The pairs with faces in their ovals; `faces` gives those of some rows, as `_gathered` does."""
  eyes, radius = _eyes(pairs), _radius(pairs)[..., None].astype(np.float32)
  replaced = lambda rows, *arrays: _replaced(faces(rows), *arrays)
  made = list(_in_batches(replaced, np.arange(len(pairs)), pairs.protected, eyes, radius))
  return _with(pairs, np.concatenate(made) if made else pairs.protected)


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
