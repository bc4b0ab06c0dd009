"""Embedders: networks that tell faces apart. The contracts are `types.Embedder` and `types.HostEmbedder`."""

import hashlib
import itertools
import os
import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import networks, reading
from qm_vae.registry import Registry

EMBEDDERS = Registry(
  "embedder",
  {"network": "qm_vae.embedders.network:load", "onnx": "qm_vae.embedders.onnx:load"},
  group="qm_vae.embedders",
)
"""`network` is load(directory) -> Embedder, in the graph; `onnx` is load(path, **overrides) -> HostEmbedder."""

_TOLD = ("input_range", "layout", "colour", "size", "eyes", "output")
"""What a JSON file beside an ONNX file may tell; see embedders.onnx.load."""


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


_UNNAMED = re.compile("network|[0-9a-f]{16}")
"""Folders whose name says nothing: every run's, and those of the package, which are named by a digest."""


class LoadedEmbedder(NamedTuple):
  """A recogniser that somebody gave."""

  name: str
  embed: types.HostEmbedder
  embedder: types.Embedder | None  # in the graph, where its training can go on; None for an ONNX file
  source: str  # the path as it was given
  sha256: str  # of its arrays, or of the file


def open_embedder(path: str | os.PathLike, batch_size: int = 64) -> LoadedEmbedder:
  """What `path` holds: a folder of a network, or an ONNX file.

  What an ONNX file does not tell about its input stands in a JSON file of the same name beside it, with the keywords of
  `embedders.onnx.load`.

  Raises:
    ValueError: for anything else, and for what the two loaders refuse.
  """
  given, path = str(path), pathlib.Path(path).expanduser()
  if path.is_dir():
    embedder, meta = EMBEDDERS["network"](path), networks.read_meta(path)
    name = meta["architecture"] if _UNNAMED.fullmatch(embedder.name) else embedder.name
    return LoadedEmbedder(name, on_host(embedder, batch_size), embedder, given, meta["sha256"])
  if path.suffix.lower() == ".onnx" and path.is_file():
    beside = _beside(path)
    try:
      embed = EMBEDDERS["onnx"](path, **beside, batch_size=batch_size)
    except TypeError as error:
      raise InputError(f"{path.with_suffix('.json')}: a value is of the wrong type ({error}): {beside}") from error
    return LoadedEmbedder(path.stem, embed, None, given, hashlib.sha256(path.read_bytes()).hexdigest())
  raise InputError(
    f"{path} is no embedder; give the folder of a network (python -m qm_vae.convert torch-mobilefacenet writes one, "
    "configs/embedder.py trains one) or a file that ends in .onnx"
  )


def open_all(paths: Iterable[str | os.PathLike]) -> list[LoadedEmbedder]:
  """`open_embedder` of each; where two have one name the later are numbered.

  Raises:
    ValueError: as `open_embedder`, and for the same recogniser twice.
  """
  found = {}
  for path in paths:
    one = open_embedder(path)
    if one.sha256 in found:
      raise InputError(f"{path} is the same recogniser as {found[one.sha256].source}; give each once")
    names = [other.name for other in found.values()]
    name = next(name for i in itertools.count(1) if (name := f"{one.name}_{i}" if i > 1 else one.name) not in names)
    found[one.sha256] = one._replace(name=name)
  return list(found.values())


def _beside(path):
  """Keywords for `onnx.load` from the JSON file beside `path`; {} without one."""
  beside = path.with_suffix(".json")
  if not beside.is_file():
    return {}
  settings = reading.read_json(beside, most=2**20)
  unknown = sorted(set(settings) - set(_TOLD))
  if unknown:
    raise InvalidFile(beside, f"holds {', '.join(unknown)[:200]}", f"some of {', '.join(_TOLD)}")
  return settings


def remembering(embed: types.HostEmbedder) -> types.HostEmbedder:
  """The same embedder, which keeps its answers: the same faces are embedded once."""
  known = {}

  def embed_once(image, eyes):
    digest = hashlib.sha256(repr((image.shape, eyes.shape)).encode())
    for array in (image, eyes):
      digest.update(np.ascontiguousarray(array).data)
    if digest.digest() not in known:
      known[digest.digest()] = embed(image, eyes)
    return known[digest.digest()]

  return embed_once


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
    raise InputError(
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
