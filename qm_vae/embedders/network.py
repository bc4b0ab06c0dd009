"""A face recogniser in the graph, from a folder written by io.networks.save."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from qm_vae.faces.alignment import align
from qm_vae.io import networks
from qm_vae.models.embedder import EMBEDDER_NETWORKS
from qm_vae.options import OBJECT, POSITIVE, SIDE, Rule, is_number, numbers, one_of
from qm_vae.types import Embedder


def describe(
  architecture: str,
  input_size: tuple[int, int],
  target_eyes: Sequence[float],
  *,
  mean: float = 127.5,
  scale: float = 127.5,
  options: dict[str, Any] | None = None,
  source: str = "trained by qm_vae",
  licence: str = "that of the training data",
) -> dict[str, Any]:
  """The description of an embedder that io.networks.save stores and `load` reads.

  Args:
    architecture: a name in `EMBEDDER_NETWORKS`.
    input_size: (height, width) of the network's input, pixels.
    target_eyes: where the eyes stand in it, pixels: x, y of the one at the image's left, x, y of the one at its right.
    mean: grey levels, taken from an image in 0..255.
    scale: grey levels, by which the difference is then divided.
    options: keyword arguments of the architecture.
    source: where the weights come from.
    licence: the terms that hold for them.

  Raises:
    KeyError: for an unknown architecture.
  """
  EMBEDDER_NETWORKS[architecture]
  return {
    "kind": "embedder",
    "architecture": architecture,
    "options": dict(options or {}),
    "input_size": [int(side) for side in input_size],
    "target_eyes": [float(place) for place in target_eyes],
    "normalisation": {"mean": float(mean), "scale": float(scale)},
    "input": "RGB float32 in [0, 1] with eyes; the embedder aligns it, then (255 x - mean) / scale",
    "source": source,
    "licence": licence,
  }


_RULES = {
  "architecture": one_of(*EMBEDDER_NETWORKS.names()),
  "options": OBJECT,
  "input_size": Rule(lambda v: isinstance(v, list) and len(v) == 2 and all(map(SIDE.holds, v)), "two sides in pixels"),
  "target_eyes": numbers(4),
  "normalisation.mean": Rule(lambda v: is_number(v) and abs(v) < 1e30, "a number"),
  "normalisation.scale": POSITIVE,
}


def network(meta: dict[str, Any]):
  """The Flax module that `meta` (see `describe`) tells of."""
  # JSON knows lists alone, a module wants what can be hashed.
  options = {name: tuple(value) if isinstance(value, list) else value for name, value in meta["options"].items()}
  return EMBEDDER_NETWORKS[meta["architecture"]](**options)


def preprocess(image: jax.Array, eyes: jax.Array, meta: dict[str, Any]) -> jax.Array:
  """What an embedder's network sees of faces; training and serving both come through here.

  Args:
    image: [B, H, W, 3] float32 RGB in [0, 1].
    eyes: [B, 4], pixels of the image, see types.Face.
    meta: see `describe`.

  Returns:
    [B, height, width, 3] float32, aligned (see alignment.align) and normalised.
  """
  aligned = jax.vmap(lambda x, e: align(x, e, tuple(meta["target_eyes"]), tuple(meta["input_size"])))(image, eyes)
  mean, scale = meta["normalisation"]["mean"], meta["normalisation"]["scale"]
  return aligned * (255 / scale) - mean / scale


def normalise(x: jax.Array) -> jax.Array:
  """[..., D] with length 1 along the last axis; zeros stay zeros, and their gradient stays finite."""
  return x * jax.lax.rsqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-12)


def load(directory: str | os.PathLike) -> Embedder:
  """The embedder stored in `directory`, by the folder's name.

  Its `apply(params, image, eyes)` takes images [..., H, W, 3] of any height and width from 2 pixels; `params` are the
  frozen variables, NumPy arrays, to be passed as an argument of the jitted function.

  Raises:
    ValueError: for a folder that holds no such network, or arrays that do not fit the architecture.
  """
  meta, variables = networks.load(directory)
  networks.check_kind(directory, meta, "embedder")
  networks.check_meta(directory, meta, _RULES)
  module = networks.build(directory, lambda: network(meta))
  face = jax.ShapeDtypeStruct((1, *meta["input_size"], 3), jnp.float32)
  expected = networks.build(directory, lambda: jax.eval_shape(module.init, jax.random.key(0), face))
  networks.check_shapes(directory, expected, variables)

  def apply(params, image, eyes):
    lead = image.shape[:-3]
    x = preprocess(image.reshape(-1, *image.shape[-3:]), eyes.reshape(-1, 4), meta)
    embedding = normalise(module.apply(params, x))
    return embedding.reshape(*lead, embedding.shape[-1])

  return Embedder(variables, apply, pathlib.Path(directory).resolve().name)
