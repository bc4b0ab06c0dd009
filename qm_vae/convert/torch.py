"""The public MobileFaceNet, a face recogniser, from the checkpoint of Xiaoccer/MobileFaceNet_Pytorch."""

import hashlib
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from qm_vae.convert import torch_file
from qm_vae.embedders import network
from qm_vae.errors import InputError
from qm_vae.faces.alignment import TEMPLATE_EYES

INPUT_SIZE = (112, 96)
"""Height and width of the aligned face, pixels (SphereFace's)."""

# Positions in a bottleneck's nn.Sequential: convolution, normalisation, PReLU.
_BOTTLENECK = {"expand": (0, 1, 2), "depthwise": (3, 4, 5), "project": (6, 7, None)}


def torch_mobilefacenet(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of a MobileFaceNet saved by PyTorch, read without PyTorch and without running code.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  if not path.is_file():
    raise InputError(f"{path} is no file; expected a PyTorch checkpoint, such as model/best/068.ckpt")
  tensors = torch_file.load(path)
  tensors = tensors.get("net_state_dict", tensors)
  meta = network.describe(
    "mobilefacenet",
    INPUT_SIZE,
    TEMPLATE_EYES[INPUT_SIZE],
    mean=127.5,
    scale=128,
    source=f"{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
    licence="that of the converted file; none found in Xiaoccer/MobileFaceNet_Pytorch, which publishes this network",
  )
  # A count of training steps, one per normalisation, that no answer depends on.
  left = {name: found for name, found in tensors.items() if not str(name).endswith(".num_batches_tracked")}
  flat = {}
  for target, shape in _shapes(meta).items():
    name = _name(target)
    expected = _torch_shape(target, shape)
    found = left.pop(name, None)
    if not isinstance(found, np.ndarray) or found.shape != expected or found.dtype != np.float32:
      what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
      raise InputError(f"{path} is no MobileFaceNet: expected {name} as float32 {expected}, found {what}")
    flat[target] = _from_torch(found, shape)
  if left:
    raise InputError(f"{path} is no MobileFaceNet: {len(left)} tensors are left over, first {min(map(str, left))}")
  return meta, traverse_util.unflatten_dict(flat, sep="/")


def _shapes(meta):
  """{our name: shape} of the network."""
  variables = jax.eval_shape(network.network(meta).init, jax.random.key(0), jnp.zeros((1, *INPUT_SIZE, 3)))
  return {name: leaf.shape for name, leaf in traverse_util.flatten_dict(variables, sep="/").items()}


def _name(target):
  """The name in the checkpoint of what we call `target`, such as params/block_3_expand_norm/scale."""
  _, layer, leaf = target.split("/")
  kind = next((kind for kind in ("norm", "prelu") if layer.endswith(f"_{kind}")), "conv")
  layer = layer.removesuffix(f"_{kind}")
  tensor = {"kernel": "weight", "scale": "weight", "slope": "weight", "bias": "bias"}.get(leaf, f"running_{leaf}")
  if not layer.startswith("block_"):
    return f"{layer}.{'bn' if kind == 'norm' else kind}.{tensor}"
  _, number, stage = layer.split("_")
  return f"blocks.{number}.conv.{_BOTTLENECK[stage][('conv', 'norm', 'prelu').index(kind)]}.{tensor}"


def _torch_shape(target, shape):
  """The shape in PyTorch, [out, in per group, height, width], of a kernel that is [..., in, out] here."""
  if not target.endswith("/kernel"):
    return shape
  if target.endswith("/conv1/kernel"):
    return shape[1], shape[0] // 9, 3, 3
  if len(shape) == 2:
    return shape[1], shape[0], 1, 1
  return shape[-1], 1, *shape[:2]  # depthwise, [3, 3, 1, C] or [7, 6, C]


def _from_torch(found, shape):
  return np.ascontiguousarray(found.transpose(2, 3, 1, 0).reshape(shape) if found.ndim == 4 else found)
