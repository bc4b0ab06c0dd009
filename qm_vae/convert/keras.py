"""The public mini_XCEPTION, an expression recogniser, from the HDF5 file of a whole Keras 2 model."""

import hashlib
import json
import pathlib
import re
from typing import Any

import numpy as np
from flax import traverse_util

from qm_vae.services import expression
from qm_vae.types import EXPRESSIONS


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
      raise ValueError(
        f"{path} is no mini_XCEPTION with {len(EXPRESSIONS)} classes: expected {kind} {number} with {name} of shape "
        f"{shape}, found {'none' if found is None else found.shape}"
      )
    flat[target] = found.reshape(shape[-2:]) if target.endswith(("pointwise", "shortcut/kernel")) else found
    if name == "depthwise_kernel":
      flat[target] = found.reshape(3, 3, 1, -1)  # Keras [3, 3, C, 1]
  if layers:
    kind, number, name = min(layers)
    raise ValueError(f"{path} is no mini_XCEPTION: {len(layers)} tensors are left over, first {kind} {number} {name}")
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
    raise ValueError(f"{path} is no file; {expected}")
  try:
    file = h5py.File(path, "r")
  except OSError as error:
    raise ValueError(f"{path} is not HDF5 ({error}); {expected}") from error
  with file:
    if "model_weights" not in file or "model_config" not in file.attrs:
      raise ValueError(f"{path} holds no model_weights with a model_config; {expected}")
    config = file.attrs["model_config"]
    try:
      layers = json.loads(config if isinstance(config, str) else config.decode())["config"]["layers"]
      shapes = [layer["config"]["batch_input_shape"] for layer in layers if layer["class_name"] == "InputLayer"]
      epsilons = {layer["config"]["epsilon"] for layer in layers if layer["class_name"] == "BatchNormalization"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
      raise ValueError(
        f"{path} has a model_config of another form ({type(error).__name__}: {error}); {expected}"
      ) from error
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != shapes[0][2] or shapes[0][3] != 1:
      raise ValueError(f"{path} takes inputs of shape {shapes}; expected one square grey image")
    if epsilons != {1e-3}:
      raise ValueError(f"{path} normalises with epsilon {sorted(epsilons)}; expected 0.001 everywhere")
    tensors = {}

    def collect(name, item):
      if isinstance(item, h5py.Dataset):
        tensors[name] = np.asarray(item, np.float32)

    file["model_weights"].visititems(collect)
  return tensors, shapes[0][1]


def _number_layers(path, tensors):
  """{(kind, number, tensor): array}; a kind's layers count from 1, whatever number Keras had reached by then."""
  parsed = {}
  for name, array in tensors.items():
    match = re.fullmatch(r"([a-z0-9_]+?)_(\d+)/(?:.*/)?([a-z_]+):0", name)
    if not match:
      raise ValueError(f"{path} is no mini_XCEPTION: it holds a tensor called {name}")
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
