"""The public PyTorch face recognisers against which AMT-GAN is trained: FaceNet, IR-SE50 and IR-152.

Layers have the same names here, so that every tensor of a checkpoint has one place.
"""

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

_LEAVES = {
  "kernel": "weight",
  "scale": "weight",
  "slope": "weight",
  "bias": "bias",
  "mean": "running_mean",
  "var": "running_var",
}

FACENET_SIZE = (160, 160)
FACENET_EYES = (52.0, 64.0, 108.0, 64.0)
"""Where eyes come to stand, about, in the boxes of MTCNN that facenet-pytorch cuts and never turns: an estimate."""


def torch_facenet(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of an InceptionResnetV1 of timesler/facenet-pytorch; its classifier is left out.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  tensors = _load(path, "20180402-114759-vggface2.pt of timesler/facenet-pytorch, or facenet.pth of AMT-GAN's models")
  tensors = {name: array for name, array in tensors.items() if name not in ("logits.weight", "logits.bias")}
  meta = network.describe(
    "inception_resnet_v1",
    FACENET_SIZE,
    FACENET_EYES,
    mean=127.5,
    scale=128,
    **_origin(path, "timesler/facenet-pytorch, which publishes this network, is MIT"),
  )
  return meta, mapped(path, "InceptionResnetV1 of facenet-pytorch", tensors, meta)


def torch_irse50(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of an IR-SE50, as TreB1eN/InsightFace_Pytorch builds it and AMT-GAN uses it.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  return _ir(path, "IR-SE50", "irse50.pth or model_ir_se50.pth", {})


def torch_ir152(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of an IR-152, as ZhaoJ9014/face.evoLVe builds it and AMT-GAN uses it.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  return _ir(path, "IR-152", "ir152.pth", {"units": [3, 8, 36, 3], "squeeze": False})


def _ir(path, kind, example, options):
  tensors = _load(path, example)
  size = (112, 112)
  origin = _origin(path, "those of the public repositories with this layout, which are MIT, say nothing of the faces")
  meta = network.describe("ir_resnet", size, TEMPLATE_EYES[size], mean=127.5, scale=127.5, options=options, **origin)
  last = ("output_layer.4.weight", "output_layer.4.bias")
  if not any(name in tensors for name in last) and "output_layer.4.running_mean" in tensors:
    # Some builds let the last normalisation neither scale nor shift.
    count = tensors["output_layer.4.running_mean"].shape
    tensors |= {last[0]: np.ones(count, np.float32), last[1]: np.zeros(count, np.float32)}
  return meta, mapped(path, kind, tensors, meta)


def _load(path, example):
  if not path.is_file():
    raise InputError(f"{path} is no file; expected a PyTorch checkpoint, such as {example}")
  tensors = torch_file.load(path)
  # A count of training steps, one per normalisation, that no answer depends on; and what parallel training puts first.
  named = {str(name).removeprefix("module."): array for name, array in tensors.items()}
  return {name: array for name, array in named.items() if not name.endswith(".num_batches_tracked")}


def _origin(path, licence):
  with path.open("rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
  return {"source": f"{path.name}, SHA-256 {digest}", "licence": f"that of the converted file; {licence}"}


def mapped(path: pathlib.Path, kind: str, tensors: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
  """The variables of the embedder that `meta` describes; each tensor is used once.

  Args:
    path: of the file, for the message.
    kind: what it should be, for the message.
    tensors: {PyTorch's name: array}.
    meta: see embedders.network.describe.

  Raises:
    ValueError: naming the first tensor that is missing, of another shape, or left over.
  """
  example = jnp.zeros((1, *meta["input_size"], 3))
  variables = jax.eval_shape(network.network(meta).init, jax.random.key(0), example)
  left, flat = dict(tensors), {}
  for target, leaf in traverse_util.flatten_dict(variables, sep="/").items():
    _, layer, name = target.split("/")
    theirs = f"{layer}.{_LEAVES[name]}"
    order = {2: (1, 0), 4: (3, 2, 0, 1)}.get(leaf.ndim)  # [out, in] and [out, in, height, width] there
    shape = tuple(leaf.shape[axis] for axis in order) if order else leaf.shape
    found = left.pop(theirs, None)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
      what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
      raise InputError(f"{path} is no {kind}: expected {theirs} as float32 {shape}, found {what}")
    flat[target] = np.ascontiguousarray(found.transpose(np.argsort(order)) if order else found)
  if left:
    raise InputError(f"{path} is no {kind}: {len(left)} tensors are left over, first {min(left)}")
  return traverse_util.unflatten_dict(flat, sep="/")
