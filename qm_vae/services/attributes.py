"""Attributes of a face, each yes or no, as a service in the graph: CelebA's forty, any of them (Liu et al. 2015)."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from qm_vae.io import networks
from qm_vae.services import expression
from qm_vae.types import Service


def preprocess(image: jax.Array, size: int) -> jax.Array:
  """What an attribute network sees of images [..., H, W, 3] in [0, 1]: [..., size, size, 3] in [-1, 1], in colour."""
  return jax.image.resize(image, (*image.shape[:-3], size, size, 3), "linear") * 2 - 1


def describe(architecture: str, input_size: int, names: Sequence[str]) -> dict[str, Any]:
  """The description of an attribute network, as services.expression.describe; its classes are the attributes."""
  description = expression.describe(architecture, input_size, names)
  return description | {
    "kind": "attributes",
    "input": "RGB float32 in [0, 1]; the service resizes it and scales it to [-1, 1]",
  }


def load(directory: str | os.PathLike) -> Service:
  """The attribute service stored in `directory`; `apply` gives a logit for each attribute, named by `classes`.

  Raises:
    ValueError: for a folder that holds no such network, or arrays that do not fit the architecture.
  """
  meta, variables = networks.load(directory)
  networks.check_kind(directory, meta, "attributes")
  networks.check_meta(directory, meta, expression.RULES)
  size, module = meta["input_size"], networks.build(directory, lambda: expression.network(meta))
  face = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  expected = networks.build(directory, lambda: jax.eval_shape(module.init, jax.random.key(0), face))
  networks.check_shapes(directory, expected, variables)

  def apply(params, image):
    logits = module.apply(params, preprocess(image, size).reshape(-1, size, size, 3))
    return logits.reshape(*image.shape[:-3], -1)

  return Service(variables, apply, tuple(meta["classes"]))
