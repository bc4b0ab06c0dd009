"""Embedders: networks that tell faces apart. The contracts are `types.Embedder` and `types.HostEmbedder`."""

import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.registry import Registry

EMBEDDERS = Registry("embedder", {"network": "qm_vae.embedders.network:load", "onnx": "qm_vae.embedders.onnx:load"})
"""`network` is load(directory) -> Embedder, in the graph; `onnx` is load(path, **overrides) -> HostEmbedder."""


def on_host(embedder: types.Embedder, batch_size: int = 64) -> types.HostEmbedder:
  """The embedder as a function of arrays on the host; it compiles once per height and width.

  Args:
    embedder: see types.Embedder.
    batch_size: images at a time, at least 1.
  """
  params = jax.device_put(embedder.params)

  @jax.jit
  def of_batch(params, image, eyes):
    return embedder.apply(params, image.astype(jnp.float32) / 255, eyes)

  return lambda image, eyes: in_batches(lambda *batch: of_batch(params, *batch), image, eyes, batch_size)


def open_embedder(path: str | os.PathLike, batch_size: int = 64) -> tuple[str, types.HostEmbedder]:
  """(name, embedder) of what `path` holds: a folder of a network, or an ONNX file that describes itself.

  Raises:
    ValueError: for anything else, and for what the two loaders refuse.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    return path.resolve().name, on_host(EMBEDDERS["network"](path), batch_size)
  if path.suffix == ".onnx" and path.is_file():
    return path.stem, EMBEDDERS["onnx"](path, batch_size=batch_size)
  raise ValueError(
    f"{path} is no embedder; give the folder of a network (python -m qm_vae.convert torch-mobilefacenet writes one) or "
    "a file that ends in .onnx"
  )


def in_batches(of_batch, image: np.ndarray, eyes: np.ndarray, batch_size: int) -> np.ndarray:
  """`of_batch(image, eyes)` of `batch_size` faces at a time, always that many: the last are filled up with black.

  Args:
    of_batch: (uint8 [batch_size, H, W, 3], float32 [batch_size, 4]) -> [batch_size, D].
    image: uint8 [N, H, W, 3].
    eyes: [N, 4].
    batch_size: at least 1.

  Returns:
    float32 [N, D].

  Raises:
    ValueError: for arrays of other shapes or type.
  """
  if image.dtype != np.uint8 or image.ndim != 4 or image.shape[-1] != 3 or eyes.shape != (len(image), 4):
    raise ValueError(
      f"image {image.dtype} {image.shape} and eyes {eyes.shape}; expected uint8 [N, H, W, 3] and numbers [N, 4]"
    )
  found = []
  for start in range(0, max(len(image), 1), batch_size):  # once for N = 0, which tells D
    rows = slice(start, start + batch_size)
    count = len(image[rows])
    some, at = np.zeros((batch_size, *image.shape[1:]), np.uint8), np.zeros((batch_size, 4), np.float32)
    some[:count], at[:count] = image[rows], eyes[rows]
    found.append(np.asarray(of_batch(some, at), np.float32)[:count])
  return np.concatenate(found)
