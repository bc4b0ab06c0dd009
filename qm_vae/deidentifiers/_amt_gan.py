"""The face with another one's make-up, drawn by AMT-GAN such that recognisers see a third person."""

import os
import pathlib
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.errors import InputError, InvalidFile
from qm_vae.faces import makeup
from qm_vae.io import networks
from qm_vae.models.amt_gan import STRIDE, Generator, shapes
from qm_vae.options import OBJECT, PATH, SIDE, Option, integer, member

_HOW = (
  "train one with configs/amt_gan.py, or convert a public one by python -m qm_vae.convert torch-amtgan, and give its "
  "folder: --config.deid.amt_gan.checkpoint=FOLDER"
)


def describe(
  size: int, *, channels: int = 64, source: str = "trained by qm_vae", licence: str = "that of the training data"
) -> dict[str, Any]:
  """The description of a generator that io.networks.save stores and `make` reads.

  Args:
    size: side of the faces that it was trained on, pixels.
    channels: of its first layers.
    source: where the weights come from.
    licence: the terms that hold for them.
  """
  return {
    "kind": "amt_gan",
    "architecture": "amt_gan",
    "options": {"channels": channels},
    "input_size": int(size),
    "input": "RGB float32 in [0, 1] with eyes; the de-identifier resizes it and scales it to [-1, 1]",
    "source": source,
    "licence": licence,
  }


_RULES = {"options": OBJECT, "options.channels": integer(1, 1024), "input_size": SIDE}


@member()
def make(
  *,
  checkpoint: Annotated[str | os.PathLike, Option(PATH, "folder of the network")] = "",
  reference: Annotated[str | os.PathLike, Option(PATH, "picture of a made-up face; '': the one in the folder")] = "",
) -> types.Deidentifier:
  """What the generator stored in a folder makes of the region.

  Args:
    checkpoint: a folder written by configs/amt_gan.py or `qm_vae.convert torch-amtgan`.
    reference: a picture of a made-up face, whose make-up is taken; '' for the one that the folder holds. A converted
      folder holds none.

  Raises:
    ValueError: without a checkpoint or a reference, or for one that cannot be used.

  Source: Hu et al. 2022; the fifth input of Qiu et al. 2022, Fig. 12.
  """
  if not checkpoint:
    raise InputError(f"amt_gan: checkpoint is '', and nothing stands in for this network; {_HOW}")
  meta, variables = networks.load(checkpoint)
  networks.check_kind(checkpoint, meta, "amt_gan")
  networks.check_meta(checkpoint, meta, _RULES)
  size, module = meta["input_size"], networks.build(checkpoint, lambda: Generator(**meta["options"]))
  if size % STRIDE:
    raise InputError(f"{checkpoint}: input_size {size} does not divide by {STRIDE}; {networks.REMEDY}")
  expected = networks.build(checkpoint, lambda: shapes(module, size))
  networks.check_shapes(checkpoint, expected, {"params": variables.get("params", {})})
  _check_reference(checkpoint, variables.get("reference"), size)
  if reference:
    variables |= {"reference": _read(reference, size)}
  if "reference" not in variables:
    raise InputError(
      f"amt_gan: {checkpoint} holds no face whose make-up is taken; give a picture of one: "
      "--config.deid.amt_gan.reference=FILE"
    )

  def amt_gan(params, face, key):
    """The face as the generator repaints it; `params` are its variables and the reference, `key` is unused."""
    del key
    place = lambda eyes: jax.tree.map(lambda x: x[None], makeup.parts(eyes, (size, size), STRIDE))
    other = params["reference"]

    def paint(image, eyes):
      pictures = (2 * x[None] - 1 for x in (image, other["image"]))
      made = module.apply({"params": params["params"]}, *pictures, place(eyes), place(jnp.asarray(other["eyes"])))
      return (made[0] + 1) / 2

    return region.repaint(face, size, paint)

  return types.Deidentifier(variables, amt_gan, needs=("eyes",))


def _check_reference(checkpoint, found, size):
  """Returns for a reference as `reference_of` makes it, or none."""
  wanted = {"image": (size, size, 3), "eyes": (4,)}
  shapes = {name: np.shape(array) for name, array in found.items()} if isinstance(found, dict) else found
  if found is not None and shapes != wanted:
    raise InvalidFile(pathlib.Path(checkpoint) / networks.ARRAYS, f"holds a reference of {shapes}", str(wanted))


def reference_of(image: np.ndarray, eyes: np.ndarray) -> dict[str, np.ndarray]:
  """A face uint8 [S, S, 3] and its eyes [4] as a folder keeps them."""
  return {"image": image.astype(np.float32) / 255, "eyes": np.asarray(eyes, np.float32)}


def _read(path, size):
  from qm_vae.faces import cropping
  from qm_vae.io import images

  settings = cropping.Settings(image_size=size)
  picture = images.read_image(path)
  found = cropping.detect(picture, settings)
  if not len(found):
    raise InputError(f"amt_gan: no face found in the reference {path}; give a frontal face, 24 pixels or more")
  image, _, _ = cropping.crop(picture, found[0], settings)
  return reference_of(image, cropping.find_eyes(image, settings))
