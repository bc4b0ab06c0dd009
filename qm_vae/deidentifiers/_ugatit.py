"""The face redrawn as an anime picture by a trained U-GAT-IT."""

import os
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from qm_vae import types
from qm_vae.deidentifiers import _cartoon, region
from qm_vae.errors import InputError
from qm_vae.io import networks
from qm_vae.models.ugatit import STRIDE, Generator
from qm_vae.options import FLAG, OBJECT, PATH, SIDE, Option, integer, member


def describe(
  size: int,
  *,
  light: bool = True,
  channels: int = 64,
  blocks: int = 4,
  original: bool = False,
  source: str = "trained by qm_vae",
  licence: str = "that of the training data",
) -> dict[str, Any]:
  """The description of a generator that io.networks.save stores and `make` reads.

  Args:
    size: side of the pictures that it was trained on, pixels.
    light: see models.ugatit.Generator, as the next two.
    channels: of its first layer.
    blocks: residual blocks before and after the attention, each.
    original: whether it is a graph of the TensorFlow implementation.
    source: where the weights come from.
    licence: the terms that hold for them.
  """
  return {
    "kind": "ugatit",
    "architecture": "ugatit_light" if light else "ugatit",
    "options": {"light": light, "channels": channels, "blocks": blocks} | ({"original": True} if original else {}),
    "input_size": int(size),
    "input": "RGB float32 in [0, 1]; the de-identifier resizes it and scales it to [-1, 1]",
    "source": source,
    "licence": licence,
  }


_RULES = {
  "options": OBJECT,
  "options.light": FLAG,
  "options.channels": integer(1, 1024),
  "options.blocks": integer(0, 64),
  "input_size": SIDE,
}


@member()
def make(
  *, checkpoint: Annotated[str | os.PathLike, Option(PATH, "folder of the network; '': the classical cartoon")] = ""
) -> types.Deidentifier:
  """What the generator stored in a folder makes of the region.

  Args:
    checkpoint: a folder written by configs/ugatit.py or by `qm_vae.convert`, tf-ugatit or torch-ugatit; '' lets the
      classical cartoon (deidentifiers/_cartoon.py) stand in.

  Raises:
    ValueError: for a folder that holds no such network, or arrays that do not fit it.

  Source: Qiu et al. 2022, Sec. 3.1, whose fourth view is a pre-trained U-GAT-IT.
  """
  if not checkpoint:
    return _cartoon.make()
  meta, variables = networks.load(checkpoint)
  networks.check_kind(checkpoint, meta, "ugatit")
  networks.check_meta(checkpoint, meta, _RULES)
  size, module = meta["input_size"], networks.build(checkpoint, lambda: Generator(**meta["options"]))
  if size % STRIDE:
    raise InputError(f"{checkpoint}: input_size {size} does not divide by {STRIDE}; {networks.REMEDY}")
  picture = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  expected = networks.build(checkpoint, lambda: jax.eval_shape(module.init, jax.random.key(0), picture))
  networks.check_shapes(checkpoint, expected, variables)

  def ugatit(params, face, key):
    """The face as the generator redraws it; `params` are its variables, `key` is unused."""
    del key

    def draw(image, eyes):
      made: Any = module.apply(params, image[None] * 2 - 1)
      return (made.image[0] + 1) / 2

    return region.repaint(face, size, draw)

  return types.Deidentifier(variables, ugatit)
