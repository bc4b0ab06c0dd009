"""Facial expression recognition as a service in the graph (Qiu et al. 2022, Sec. 4.2)."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import networks
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.options import NAMES, OBJECT, SIDE, one_of
from qm_vae.types import Service

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the grey image: ITU-R BT.601, as `cv2.COLOR_RGB2GRAY` has them."""


def preprocess(image: jax.Array, size: int) -> jax.Array:
  """What an expression network sees of an image; training and serving both come through here.

  Args:
    image: [..., H, W, 3] float32 RGB in [0, 1].
    size: side of the network's input, pixels.

  Returns:
    [..., size, size, 1] float32 in [-1, 1]: grey, resized linearly, antialiased where it shrinks.
  """
  # A sum of scaled planes; as a matrix product with one column it takes the CPU several times as long.
  red, green, blue = (weight * image[..., channel] for channel, weight in enumerate(LUMA))
  grey = red + green + blue
  # jax.image.resize leaves out the axes that keep their size.
  grey = jax.image.resize(grey, (*grey.shape[:-2], size, size), "linear")
  return grey[..., None] * 2 - 1


def describe(
  architecture: str,
  input_size: int,
  classes: Sequence[str],
  *,
  options: dict[str, Any] | None = None,
  source: str = "trained by qm_vae",
  licence: str = "that of the training data",
) -> dict[str, Any]:
  """The description of an expression network that io.networks.save stores and `load` and the classifier task read.

  Args:
    architecture: a name in `EXPRESSION_NETWORKS`.
    input_size: side of the network's input, pixels.
    classes: names of the classes in the order of the logits.
    options: further keyword arguments of the architecture.
    source: where the weights come from.
    licence: the terms that hold for them.

  Raises:
    KeyError: for an unknown architecture.
  """
  EXPRESSION_NETWORKS[architecture]
  return {
    "kind": "expression",
    "architecture": architecture,
    "options": dict(options or {}),
    "input_size": int(input_size),
    "input": "RGB float32 in [0, 1]; the service makes it grey (Rec. 601), resizes it and scales it to [-1, 1]",
    "classes": list(classes),
    "source": source,
    "licence": licence,
  }


RULES = {
  "architecture": one_of(*EXPRESSION_NETWORKS.names()),
  "options": OBJECT,
  "input_size": SIDE,
  "classes": NAMES,
}
"""What a description must hold."""


def network(meta: dict[str, Any]):
  """The Flax module that `meta` (see `describe`) tells of."""
  # JSON knows lists alone, a module wants what can be hashed.
  options = {name: tuple(value) if isinstance(value, list) else value for name, value in meta["options"].items()}
  return EXPRESSION_NETWORKS[meta["architecture"]](num_classes=len(meta["classes"]), **options)


def load(directory: str | os.PathLike) -> Service:
  """The expression service stored in `directory`.

  Its `apply(params, image)` takes images [..., H, W, 3] of any height and width and gives logits [..., C]; `params` are
  the frozen variables, NumPy arrays, to be passed as an argument of the jitted function.

  Raises:
    ValueError: for a folder that holds no such network, or arrays that do not fit the architecture.
  """
  meta, variables = networks.load(directory)
  networks.check_kind(directory, meta, "expression")
  networks.check_meta(directory, meta, RULES)
  size = meta["input_size"]
  module = networks.build(directory, lambda: network(meta))
  face = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
  expected = networks.build(directory, lambda: jax.eval_shape(module.init, jax.random.key(0), face))
  networks.check_shapes(directory, expected, variables)

  def apply(params, image):
    x = preprocess(image, size)
    logits = module.apply(params, x.reshape(-1, size, size, 1))
    return logits.reshape(*image.shape[:-3], -1)

  return Service(variables, apply, tuple(meta["classes"]))


def features(directory: str | os.PathLike) -> tuple[Callable[[Any, jax.Array], list[jax.Array]], Any]:
  """What the network in `directory` finds in faces, layer by layer, and its frozen variables.

  Returns:
    (apply, params); apply(params, image [B, H, W, 3] in [0, 1]) -> maps [B, h, w, C] after every normalisation, in the
    order of their names.

  Raises:
    ValueError: as `load`.
  """
  service, meta = load(directory), networks.read_meta(directory)
  module = network(meta)

  def apply(params, image):
    x = preprocess(image, meta["input_size"])
    _, kept = module.apply(params, x, capture_intermediates=lambda part, _: isinstance(part, nn.BatchNorm))
    return jax.tree.leaves(kept["intermediates"])

  return apply, service.params


def reorder(service: Service, classes: Sequence[str]) -> Service:
  """The same service with its logits in the order of `classes`.

  Raises:
    ValueError: when the two name different classes.
  """
  classes = tuple(classes)
  if sorted(classes) != sorted(service.classes):
    raise InputError(f"a service that knows {', '.join(service.classes)} cannot answer in {', '.join(classes)}")
  if classes == service.classes:
    return service
  order = np.array([service.classes.index(name) for name in classes])
  return Service(service.params, lambda params, image: service.apply(params, image)[..., order], classes)
