"""The published U-GAT-IT: a TensorFlow 1 checkpoint of taki0112/UGATIT, from which the results of its paper come."""

import hashlib
import math
import pathlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from qm_vae.convert import tf_bundle
from qm_vae.deidentifiers import _ugatit as ugatit_file
from qm_vae.errors import InputError
from qm_vae.models import ugatit

SCOPE = "generator_B/"
"""Of the generator from A to B, from selfies to anime."""

LIGHT_SIZE = 256
"""Side of the pictures that the original trains on, pixels; a light network does not tell."""

SMOOTHING = 0.1
"""What the original takes from AdaLIN's rho wherever it is used."""

_OF_OPTIMIZER = re.compile(r"/(Adam|Adam_1|ExponentialMovingAverage)$")
_LEAVES = {"scale": "gamma", "bias": "beta"}  # of an instance norm


def tf_ugatit(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the generator from A to B in a checkpoint of taki0112/UGATIT, light or full.

  Read without TensorFlow, and of the file only what this generator needs: the checkpoint also holds the other
  generator, the discriminators and the optimisers' moments. Where the folder has the name that the original gives it,
  its ending says whether rho is smoothed; else it is, which is the original's default.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  bundle = tf_bundle.open_bundle(path)
  index = bundle.prefix.with_name(f"{bundle.prefix.name}.index")
  left = {name for name in bundle.entries if name.startswith(SCOPE) and not _OF_OPTIMIZER.search(name)}
  settings = _settings(bundle)
  size = settings.pop("size")
  module = ugatit.Generator(**settings, original=True)
  expected = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))

  def take(name, shape):
    entry = bundle.entries.get(SCOPE + name)
    if entry is None or entry.shape != shape:
      found = "nothing" if entry is None else list(entry.shape)
      raise InputError(f"{index} is no U-GAT-IT: expected {SCOPE}{name} with shape {list(shape)}, found {found}")
    left.discard(SCOPE + name)
    return bundle.read(SCOPE + name)

  flat = {}
  for target, leaf in traverse_util.flatten_dict(expected, sep="/").items():
    _, layer, name = target.split("/")
    if layer == "CAM_logit":
      flat[target] = _attention(bundle, name, leaf.shape, take)
      continue
    array = take(_theirs(layer, name), leaf.shape)
    if name == "rho" and layer.startswith("UpBlock1") and _smoothed(bundle.prefix):
      array = np.clip(array - np.float32(SMOOTHING), 0, 1)
    if target == "params/FC.0/kernel" and not settings["light"]:
      array = _channel_first(array, size // ugatit.STRIDE)
    flat[target] = array
  if left:
    raise InputError(f"{index} is no U-GAT-IT: {len(left)} tensors are left over, first {min(left)}")
  licence = "that of the converted file; taki0112/UGATIT, which publishes it, is MIT"
  source = f"{bundle.prefix.name}, SHA-256 of its index {hashlib.sha256(index.read_bytes()).hexdigest()}"
  meta = ugatit_file.describe(size, **settings, original=True, source=source, licence=licence)
  return meta, traverse_util.unflatten_dict(flat, sep="/")


def _settings(bundle):
  """Keyword arguments of the module, and `size`, as the shapes tell them."""
  shapes = {}
  for name in ("conv/conv2d/kernel", "MLP/linear_0/dense/kernel"):
    entry = bundle.entries.get(SCOPE + name)
    shapes[name] = entry.shape if entry else ()
    if len(shapes[name]) != (4 if name.startswith("conv") else 2) or not min(shapes[name]):
      raise InputError(
        f"{bundle.prefix} is no U-GAT-IT: expected {SCOPE}{name}, found {list(shapes[name]) or 'nothing'}; a "
        "TensorFlow checkpoint of taki0112/UGATIT holds it"
      )
  channels, inputs = shapes["conv/conv2d/kernel"][-1], shapes["MLP/linear_0/dense/kernel"][0]
  width = ugatit.STRIDE * channels
  blocks = len(
    {name for name in bundle.entries if re.fullmatch(rf"{SCOPE}resblock_\d+/res1/conv_0/conv2d/kernel", name)}
  )
  side = math.isqrt(inputs // width)
  light = inputs == width
  if not light and (side * side * width != inputs or side < 2):
    raise InputError(
      f"{bundle.prefix} is no U-GAT-IT: MLP/linear_0 takes {inputs} numbers, no square of {width} channels"
    )
  size = LIGHT_SIZE if light else ugatit.STRIDE * side
  return {"light": light, "channels": channels, "blocks": blocks, "size": size}


def _theirs(layer, name):
  """The name in the checkpoint, without the scope, of what is called `layer` and `name` here."""
  norm = layer.endswith(".norm")
  place, leaf = layer.removesuffix(".norm"), _LEAVES[name] if norm else name
  if match := re.fullmatch(r"DownBlock\.(\d+)\.conv_block\.([15])", place):
    scope = f"resblock_{int(match[1]) - 12}/res{1 if match[2] == '1' else 2}"
    return f"{scope}/instance_norm/{leaf}" if norm else f"{scope}/conv_0/conv2d/{leaf}"
  if match := re.fullmatch(r"DownBlock\.([159])", place):
    suffix = {"1": "", "5": "_0", "9": "_1"}[match[1]]
    return f"ins_norm{suffix}/{leaf}" if norm else f"conv{suffix}/conv2d/{leaf}"
  if match := re.fullmatch(r"UpBlock1_(\d+)\.(conv|norm)([12])", place):
    scope = f"adaptive_resblock{int(match[1]) - 1}/res{match[3]}"
    return f"{scope}/conv_0/conv2d/{leaf}" if match[2] == "conv" else f"{scope}/instance_layer_norm/{leaf}"
  fixed = {
    "conv1x1": "conv_1x1/conv2d",
    "FC.0": "MLP/linear_0/dense",
    "FC.2": "MLP/linear_1/dense",
    "gamma": "MLP/gamma/dense",
    "beta": "MLP/beta/dense",
    "UpBlock2.2": "up_conv_0/conv2d",
    "UpBlock2.3": "layer_ins_norm_0",
    "UpBlock2.7": "up_conv_1/conv2d",
    "UpBlock2.8": "layer_ins_norm_1",
    "UpBlock2.11": "G_logit/conv2d",
  }
  return f"{fixed[place]}/{leaf}"


def _attention(bundle, name, shape, take):
  """The classifier's kernel and bias, or the weights of the features, which are another kernel plus another bias.

  Until 19 August 2019 the original's graph had a dense layer for the logits beside them; since then both are the same.
  """
  beside = f"{SCOPE}CAM_logit/dense/kernel" in bundle.entries
  if name == "weight":
    return take("CAM_logit/kernel", (*shape, 1))[:, 0] + take("CAM_logit/bias", (1,))
  return take(f"CAM_logit/dense/{name}" if beside else f"CAM_logit/{name}", shape)


def _channel_first(kernel, side):
  """[side * side * C, F] with its inputs in the order of [C, side, side], as models.ugatit flattens them."""
  kernel = kernel.reshape(side * side, -1, kernel.shape[-1])
  return np.ascontiguousarray(kernel.transpose(1, 0, 2)).reshape(-1, kernel.shape[-1])


def _smoothed(prefix):
  folder = prefix.absolute().parent.name
  return not re.search(r"_\d+resblock_\d+dis_", folder) or folder.endswith("_smoothing")
