"""The public mini_XCEPTION, an expression recogniser, from the HDF5 file of a whole Keras 2 model."""

import hashlib
import json
import pathlib
import re
import reprlib
from typing import Any

import numpy as np
from flax import traverse_util

from qm_vae.errors import InputError, InvalidFile
from qm_vae.options import SIDE
from qm_vae.services import expression
from qm_vae.types import EXPRESSIONS

_BYTES = 2**28  # the public file has 0.9 MB
_WEIGHTS = 2**20  # of one tensor; the largest has 73,728


def keras_expression(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of a mini_XCEPTION saved by Keras 2 as HDF5, read without Keras and without running code.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  tensors, size = _read_keras(path)
  layers = _number_layers(path, tensors)
  flat = {}
  for target, (kind, number, name, shape) in _keras_layout().items():
    found = layers.pop((kind, number, name), None)
    if found is None or found.shape != shape:
      raise InputError(
        f"{path} is no mini_XCEPTION with {len(EXPRESSIONS)} classes: expected {kind} {number} with {name} of shape "
        f"{shape}, found {'none' if found is None else found.shape}"
      )
    flat[target] = found.reshape(shape[-2:]) if target.endswith(("pointwise", "shortcut/kernel")) else found
    if name == "depthwise_kernel":
      flat[target] = found.reshape(3, 3, 1, -1)  # Keras [3, 3, C, 1]
  if layers:
    kind, number, name = min(layers)
    raise InputError(f"{path} is no mini_XCEPTION: {len(layers)} tensors are left over, first {kind} {number} {name}")
  meta = expression.describe(
    "mini_xception",
    size,
    EXPRESSIONS,
    source=f"{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
    licence="that of the converted file; oarriaga/face_classification, which publishes this network, is MIT",
  )
  return meta, traverse_util.unflatten_dict(flat, sep="/")


def _read_keras(path):
  """({layer/tensor: array}, side of the input) of a Keras model file."""
  import h5py  # here, so that other formats do without it

  expected = "expected the HDF5 file of a whole Keras 2 model, such as fer2013_mini_XCEPTION.102-0.66.hdf5"
  if not path.is_file():
    raise InvalidFile(path, "is no file", remedy=expected)
  if path.stat().st_size > _BYTES:
    raise InvalidFile(path, f"has {path.stat().st_size} bytes", f"at most {_BYTES}", expected)
  try:
    file = h5py.File(path, "r")
  except (OSError, RuntimeError) as error:
    raise InvalidFile(path, f"is not HDF5 ({str(error)[:200]})", remedy=expected) from error
  try:
    return _read_open(path, file, expected)
  except InvalidFile:
    raise
  # Damage inside the file surfaces where h5py meets it, as OSError, RuntimeError, KeyError, TypeError, ...
  except Exception as error:
    raise InvalidFile(path, f"is damaged ({type(error).__name__}: {str(error)[:200]})", remedy=expected) from error
  finally:
    file.close()


def _read_open(path, file, expected):
  import h5py

  with file:
    if "model_weights" not in file or "model_config" not in file.attrs:
      raise InvalidFile(path, "holds no model_weights with a model_config", remedy=expected)
    config = file.attrs["model_config"]
    try:
      layers = json.loads(config if isinstance(config, str) else config.decode())["config"]["layers"]
      shapes = [layer["config"]["batch_input_shape"] for layer in layers if layer["class_name"] == "InputLayer"]
      epsilons = {layer["config"]["epsilon"] for layer in layers if layer["class_name"] == "BatchNormalization"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
      words = f"has a model_config of another form ({type(error).__name__}: {str(error)[:200]})"
      raise InvalidFile(path, words, remedy=expected) from error
    if len(shapes) != 1 or not _is_square_grey(shapes[0]):
      raise InvalidFile(path, f"takes inputs of shape {reprlib.repr(shapes)}", "one square grey image")
    if epsilons != {1e-3}:
      raise InvalidFile(path, f"normalises with epsilon {reprlib.repr(list(epsilons))}", "0.001 everywhere")
    tensors = {}

    def collect(name, item):
      if isinstance(item, h5py.Dataset):
        tensors[name] = _tensor(path, name, item)

    file["model_weights"].visititems(collect)
  return tensors, shapes[0][1]


def _is_square_grey(shape):
  return isinstance(shape, list) and len(shape) == 4 and shape[1] == shape[2] and shape[3] == 1 and SIDE.holds(shape[1])


def _tensor(path, name, item):
  """float32 array of a dataset that is as small as a layer's and lies in this very file."""
  if item.shape is None or item.size > _WEIGHTS or item.dtype.kind != "f" or item.external or item.is_virtual:
    raise InvalidFile(path, f"holds {name[:200]} as {item.dtype} {item.shape}", f"at most {_WEIGHTS} real numbers")
  array = np.asarray(item[...], np.float32)
  if not np.isfinite(array).all():
    raise InvalidFile(path, f"holds numbers that are not finite, in {name[:200]}", "finite weights")
  return array


def _number_layers(path, tensors):
  """{(kind, number, tensor): array}; a kind's layers count from 1, whatever number Keras had reached by then."""
  parsed = {}
  for name, array in tensors.items():
    match = re.fullmatch(r"([a-z0-9_]+?)_(\d+)/(?:.*/)?([a-z_]+):0", name)
    if not match:
      raise InvalidFile(path, f"is no mini_XCEPTION: it holds a tensor called {name[:200]}")
    parsed[match[1], int(match[2]), match[3]] = array
  numbers = {}
  for kind, number, _ in parsed:
    numbers.setdefault(kind, set()).add(number)
  rank = {kind: {number: i for i, number in enumerate(sorted(found), start=1)} for kind, found in numbers.items()}
  return {(kind, rank[kind][number], name): array for (kind, number, name), array in parsed.items()}


def _keras_layout():
  """{our name: (layer kind, number, tensor, shape)} in mini_XCEPTION.

  Keras numbers the layers of a kind in the order of their making: in each module the shortcut comes first.
  """
  layout = {}

  def norm(target, number, channels):
    for ours, theirs in (
      (f"params/{target}/scale", "gamma"),
      (f"params/{target}/bias", "beta"),
      (f"batch_stats/{target}/mean", "moving_mean"),
      (f"batch_stats/{target}/var", "moving_variance"),
    ):
      layout[ours] = ("batch_normalization", number, theirs, (channels,))

  def separable(target, number, channels, features):
    kind = "separable_conv2d"
    layout[f"params/{target}/depthwise"] = (kind, number, "depthwise_kernel", (3, 3, channels, 1))
    layout[f"params/{target}/pointwise"] = (kind, number, "pointwise_kernel", (1, 1, channels, features))

  for i, channels in ((1, 1), (2, 8)):
    layout[f"params/conv_{i}/kernel"] = ("conv2d", i, "kernel", (3, 3, channels, 8))
    norm(f"norm_{i}", i, 8)
  channels = 8
  for i, features in enumerate((16, 32, 64, 128), start=1):
    module = f"module_{i}"
    layout[f"params/{module}_shortcut/kernel"] = ("conv2d", 2 + i, "kernel", (1, 1, channels, features))
    norm(f"{module}_shortcut_norm", 3 * i, features)
    separable(f"{module}_separable_1", 2 * i - 1, channels, features)
    norm(f"{module}_norm_1", 3 * i + 1, features)
    separable(f"{module}_separable_2", 2 * i, features, features)
    norm(f"{module}_norm_2", 3 * i + 2, features)
    channels = features
  layout["params/logits/kernel"] = ("conv2d", 7, "kernel", (3, 3, channels, len(EXPRESSIONS)))
  layout["params/logits/bias"] = ("conv2d", 7, "bias", (len(EXPRESSIONS),))
  return layout
