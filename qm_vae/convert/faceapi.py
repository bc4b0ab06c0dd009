"""The public 68-point landmark network of face-api.js, from its manifest and binary file."""

import hashlib
import math
import pathlib
from typing import Any

import numpy as np

from qm_vae import landmarkers
from qm_vae.errors import InputError
from qm_vae.io import reading

MANIFEST = "face_landmark_68_model-weights_manifest.json"
_MEAN, _SCALE, _SIZE = (122.782, 117.001, 104.298), 255.0, 112
_WIDTHS = (32, 64, 128, 256)
_MOST = 2**20  # weights of one tensor, at most: the network has 0.09 million in all


def faceapi_landmarks(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the landmark network in a folder with its manifest and binary file.

  The binary file holds the tensors in the manifest's order; a quantised one is uint8, its value times scale plus min.

  Raises:
    ValueError: for any other folder; the message names the file and tells what was expected.
  """
  manifest = path / MANIFEST if path.is_dir() else path
  if not manifest.is_file():
    raise InputError(f"{manifest} is no file; give the folder that holds {MANIFEST} and the .bin file beside it")
  groups = _read_manifest(manifest)
  blob, digest = b"", hashlib.sha256()
  for name in groups["paths"]:
    file = manifest.parent / name
    if pathlib.PurePath(name).name != name or len(name) > 200 or "\0" in name or not file.is_file():
      raise InputError(f"{manifest} names {name[:200]!r}, which is no file beside it; bring it there")
    blob += file.read_bytes()
  digest.update(blob)
  tensors = _tensors(manifest, groups["weights"], blob)
  variables = {"params": _renamed(manifest, tensors)}
  meta = landmarkers.describe(
    "dense_68",
    _SIZE,
    mean=_MEAN,
    scale=_SCALE,
    source=f"{', '.join(groups['paths'])}, SHA-256 {digest.hexdigest()}",
    licence="MIT, of the npm package @vladmandic/face-api",
  )
  return meta, variables


def _read_manifest(path):
  found = reading.read_json(path, list, most=2**22)
  try:
    groups = {"weights": list(found[0]["weights"]), "paths": list(found[0]["paths"])}
  except (KeyError, IndexError, TypeError) as error:
    raise InputError(
      f"{path} is no manifest of weights ({error!r:.200}); expected a list with 'weights' and 'paths'"
    ) from error
  if not all(isinstance(name, str) for name in groups["paths"]):
    raise InputError(f"{path}: 'paths' must hold names of files")
  return groups


def _tensors(path, entries, blob):
  """{name: float32 array} in the manifest's order."""
  found, at = {}, 0
  for entry in entries:
    try:
      name, shape = str(entry["name"])[:200], tuple(int(side) for side in entry["shape"])
      how = entry.get("quantization")
      kind = np.dtype({"uint8": np.uint8, "float32": np.float32}[how["dtype"] if how else entry["dtype"]])
      scale, low = (float(how["scale"]), float(how["min"])) if how else (1.0, 0.0)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
      raise InputError(f"{path}: an entry of 'weights' is damaged ({error!r:.200}): {str(entry)[:80]}") from error
    count = math.prod(shape)
    if not all(side > 0 for side in shape) or count > _MOST:
      raise InputError(f"{path}: {name} has the shape {list(shape)}; the network's tensors have 1 to {_MOST} weights")
    if at + count * kind.itemsize > len(blob):
      raise InputError(f"{path}: the .bin file ends before {name}; it has {len(blob)} bytes, download it again")
    array = np.frombuffer(blob, kind, count, at).astype(np.float32).reshape(shape) * scale + low
    if not np.isfinite(array).all():
      raise InputError(f"{path}: {name} holds numbers that are not finite; download it again")
    found[name] = array.astype(np.float32)
    at += count * kind.itemsize
  if at != len(blob):
    raise InputError(
      f"{path}: the .bin file has {len(blob)} bytes and the manifest speaks of {at}; they do not belong together"
    )
  return found


def _renamed(path, tensors):
  """The Flax parameters; every tensor is used, and each has its shape."""
  left = dict(tensors)

  def take(name, shape):
    array = left.pop(name, None)
    if array is None or array.shape != shape:
      what = "nothing" if array is None else list(array.shape)
      raise InputError(f"{path} is no 68-point network: expected {name} with shape {list(shape)}, found {what}")
    return array

  params, channels = {}, 3
  for block, width in enumerate(_WIDTHS):
    layers = {}
    for i in range(4):
      name = f"dense{block}/conv{i}"
      if block == i == 0:
        layers["conv0"] = {"kernel": take(f"{name}/filters", (3, 3, channels, width))}
      else:
        layers[f"conv{i}"] = {
          "depthwise": take(f"{name}/depthwise_filter", (3, 3, channels, 1))[..., 0],
          "pointwise": take(f"{name}/pointwise_filter", (1, 1, channels, width))[0, 0],
        }
      layers[f"conv{i}"]["bias"] = take(f"{name}/bias", (width,))
      channels = width
    params[f"dense{block}"] = layers
  params["fc"] = {"kernel": take("fc/weights", (channels, 136)), "bias": take("fc/bias", (136,))}
  if left:
    raise InputError(f"{path} is no 68-point network: {len(left)} tensors are left over, first {min(left)}")
  return params
