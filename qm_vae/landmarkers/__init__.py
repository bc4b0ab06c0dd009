"""Landmarkers: frozen networks that find the 68 landmarks of a face. The contract is `types.Landmarker`."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import networks
from qm_vae.landmarkers import second_look
from qm_vae.models.landmarks import LANDMARK_NETWORKS
from qm_vae.options import POSITIVE, SIDE, Rule, is_number, numbers, one_of
from qm_vae.types import Landmarker


def describe(
  architecture: str,
  input_size: int,
  *,
  mean: Sequence[float] = (127.5, 127.5, 127.5),
  scale: float = 127.5,
  margin: float = 0.0,
  source: str = "trained by qm_vae",
  licence: str = "that of the training data",
) -> dict[str, Any]:
  """The description of a landmark network that io.networks.save stores and `load` reads.

  Args:
    architecture: a name in `LANDMARK_NETWORKS`.
    input_size: side of the network's input, pixels.
    mean: grey levels of R, G and B, taken from an image in 0..255.
    scale: grey levels, by which the difference is then divided.
    margin: share of the crop's side that is cut off on each side before the network sees it.
    source: where the weights come from.
    licence: the terms that hold for them.

  Raises:
    KeyError: for an unknown architecture.
  """
  LANDMARK_NETWORKS[architecture]
  return {
    "kind": "landmarks",
    "architecture": architecture,
    "input_size": int(input_size),
    "normalisation": {"mean": [float(m) for m in mean], "scale": float(scale)},
    "margin": float(margin),
    "input": "RGB float32 in [0, 1], the face's square; (255 x - mean) / scale",
    "source": source,
    "licence": licence,
  }


_RULES = {
  "architecture": one_of(*LANDMARK_NETWORKS.names()),
  "input_size": SIDE,
  "normalisation.mean": numbers(3),
  "normalisation.scale": POSITIVE,
  "margin": Rule(lambda v: is_number(v) and 0 <= v < 0.5, "a share from 0 to below 0.5"),
}


def network(meta: dict[str, Any]) -> nn.Module:
  """The Flax module of a description (see `describe`)."""
  return LANDMARK_NETWORKS[meta["architecture"]]()


def preprocess(image: jax.Array, meta: dict[str, Any]) -> jax.Array:
  """What a landmark network sees of images; training and serving both come through here.

  Args:
    image: [B, S, S, 3] float32 RGB in [0, 1].
    meta: see `describe`.

  Returns:
    [B, size, size, 3] float32.
  """
  size, side = meta["input_size"], image.shape[1]
  cut = round(meta["margin"] * side)
  inner = image[:, cut : side - cut, cut : side - cut]
  resized = jax.image.resize(inner, (len(image), size, size, 3), "linear")
  mean = jnp.asarray(meta["normalisation"]["mean"], jnp.float32)
  return (resized * 255 - mean) / meta["normalisation"]["scale"]


def load(directory: str | os.PathLike) -> Landmarker:
  """The landmarker stored in a folder; `params` are NumPy arrays, to be passed as an argument of the jitted function.

  Raises:
    ValueError: for a folder that holds no such network, or arrays that do not fit the architecture.
  """
  meta, variables = networks.load(directory)
  networks.check_kind(directory, meta, "landmarks")
  networks.check_meta(directory, meta, _RULES)
  size = meta["input_size"]
  module = networks.build(directory, lambda: network(meta))
  face = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  expected = networks.build(directory, lambda: jax.eval_shape(module.init, jax.random.key(0), face))
  networks.check_shapes(directory, expected, variables)

  def look(params, image):
    side = image.shape[-2]
    shares = jnp.asarray(module.apply(params, preprocess(image, meta)))
    cut = round(meta["margin"] * side)
    return cut + shares * (side - 2 * cut)

  def apply(params, image):
    flat = image.reshape(-1, *image.shape[-3:])
    found = second_look.again(flat, look(params, flat), functools.partial(look, params), size)
    return found.reshape(*image.shape[:-3], 68, 2)

  def features(params, image):
    x = preprocess(image.reshape(-1, *image.shape[-3:]), meta)
    found = jnp.asarray(module.apply(params, x, features=True))
    return found.reshape(*image.shape[:-3], found.shape[-1])

  return Landmarker(variables, apply, features)


def features_on_host(landmarker: Landmarker, batch_size: int = 32) -> Callable[[np.ndarray], np.ndarray]:
  """The landmarker's features as a function of arrays on the host: uint8 [N, S, S, 3] -> float32 [N, D]."""
  return _batched(landmarker.features, landmarker.params, batch_size)


def on_host(landmarker: Landmarker, batch_size: int = 32) -> Callable[[np.ndarray], np.ndarray]:
  """The landmarker as a function of arrays on the host: uint8 [N, S, S, 3] -> float32 [N, 68, 2], pixels of the image.

  It compiles once per side. It raises ValueError where the network answers with numbers that are not finite: that is a
  damaged network, and no face.
  """
  find_all = _batched(landmarker.apply, landmarker.params, batch_size)

  def find(image):
    points = find_all(image)
    if not np.isfinite(points).all():
      raise InputError("the landmark network answers with numbers that are not finite; its folder is damaged")
    return points

  return find


def _batched(function, params, batch_size):
  """A function of (params, images in [0, 1]) as one of uint8 images [N, S, S, 3], in batches of one size."""
  params = jax.device_put(params)
  of_batch = jax.jit(lambda params, image: function(params, image.astype(jnp.float32) / 255))

  def on_all(image):
    found = []
    for start in range(0, max(len(image), 1), batch_size):  # once for N = 0, which gives the shape
      chunk = image[start : start + batch_size]
      filled = np.zeros((batch_size, *image.shape[1:]), np.uint8)
      filled[: len(chunk)] = chunk
      found.append(np.asarray(of_batch(params, filled))[: len(chunk)])
    return np.concatenate(found)

  return on_all
