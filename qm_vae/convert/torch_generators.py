"""The PyTorch generators of U-GAT-IT and AMT-GAN, whose layers have the same names here."""

import hashlib
import math
import pathlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from qm_vae.convert import torch_file
from qm_vae.deidentifiers import _amt_gan as amt_gan_file
from qm_vae.deidentifiers import _ugatit as ugatit_file
from qm_vae.errors import InputError
from qm_vae.models import amt_gan, ugatit

PUBLIC_SIZE = 256
"""Side of the pictures that both public implementations train on, pixels; a light U-GAT-IT does not tell."""

_LEAVES = {"kernel": "weight", "scale": "weight"}


def torch_ugatit(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the generator from A to B in a checkpoint of znxlwm/UGATIT-pytorch, light or full.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  tensors = _load(path, "NAME_params_STEP.pt of znxlwm/UGATIT-pytorch", only="genA2B")
  if not isinstance(tensors.get("genA2B"), dict):
    raise InputError(f"{path} is no U-GAT-IT: it holds {_some(tensors)}; expected genA2B, the generator, among them")
  tensors = tensors["genA2B"]
  settings = _ugatit_settings(path, tensors)
  size = settings.pop("size")
  module = ugatit.Generator(**settings)
  expected = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
  meta = ugatit_file.describe(size, **settings, **_origin(path, "znxlwm/UGATIT-pytorch, which publishes them, is MIT"))
  return meta, _mapped(path, "U-GAT-IT", tensors, expected)


def torch_amtgan(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """(meta, variables) of the generator in a file G.pth of CGCL-codes/AMT-GAN.

  Raises:
    ValueError: for any other file; the message names it and tells what was expected.
  """
  tensors = _load(path, "G.pth of CGCL-codes/AMT-GAN")
  expected = amt_gan.shapes(amt_gan.Generator(), PUBLIC_SIZE)
  meta = amt_gan_file.describe(PUBLIC_SIZE, **_origin(path, "CGCL-codes/AMT-GAN, which publishes them, is MIT"))
  return meta, _mapped(path, "AMT-GAN", tensors, expected)


def _load(path, example, only=None):
  if not path.is_file():
    raise InputError(f"{path} is no file; expected a PyTorch checkpoint, such as {example}")
  return torch_file.load(path, only)


def _origin(path, licence):
  with path.open("rb") as file:  # gigabytes, so not all at once
    digest = hashlib.file_digest(file, "sha256").hexdigest()
  return {"source": f"{path.name}, SHA-256 {digest}", "licence": f"that of the converted file; {licence}"}


def _ugatit_settings(path, tensors):
  """Keyword arguments of the module, and `size`, as the shapes tell them."""
  shapes = {name: getattr(tensors.get(name), "shape", ()) for name in ("conv1x1.weight", "FC.0.weight")}
  if any(len(shape) < 2 for shape in shapes.values()):
    raise InputError(f"{path} is no U-GAT-IT: genA2B holds {_some(tensors)}; expected conv1x1.weight and FC.0.weight")
  width, fc_inputs = shapes["conv1x1.weight"][0], shapes["FC.0.weight"][1]
  side = math.isqrt(fc_inputs // max(width, 1))
  blocks = len({name for name in map(str, tensors) if re.fullmatch(r"UpBlock1_\d+\.conv1\.weight", name)})
  light = fc_inputs == width
  if not light and (side * side * width != fc_inputs or side < 2):
    raise InputError(
      f"{path} is no U-GAT-IT: FC.0.weight takes {fc_inputs} numbers, which are no square of {width} channels"
    )
  size = PUBLIC_SIZE if light else ugatit.STRIDE * side
  return {"light": light, "channels": width // ugatit.STRIDE, "blocks": blocks, "size": size}


def _mapped(path, kind, tensors, expected):
  """The tensors as `expected` (variables, as jax.eval_shape tells them) has them; each is used once."""
  left, flat = dict(tensors), {}
  for target, leaf in traverse_util.flatten_dict(expected, sep="/").items():
    _, layer, name = target.split("/")
    theirs = f"{layer}.{_LEAVES.get(name, name)}"
    shape, order = _torch_shape(layer, leaf.shape, name)
    found = left.pop(theirs, None)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
      what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
      raise InputError(f"{path} is no {kind}: expected {theirs} as float32 {shape}, found {what}")
    flat[target] = np.ascontiguousarray((found.transpose(order) if order else found).reshape(leaf.shape))
  if left:
    raise InputError(f"{path} is no {kind}: {len(left)} tensors are left over, first {min(map(str, left))}")
  return traverse_util.unflatten_dict(flat, sep="/")


def _torch_shape(layer, shape, name):
  """The shape in PyTorch of what has `shape` here, and the axes' order that leads from there to here."""
  if name in ("rho", "gamma", "beta"):
    return (1, *shape, 1, 1), None
  if len(shape) == 2:
    return shape[::-1], (1, 0)
  if len(shape) == 4 and layer.startswith("tnet_up_conv"):  # a transposed convolution: [in, out, height, width]
    return (*shape[2:], *shape[:2]), (2, 3, 0, 1)
  if len(shape) == 4:
    return (shape[3], shape[2], *shape[:2]), (2, 3, 1, 0)
  return shape, None


def _some(tensors):
  names = sorted(map(str, tensors))
  return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
