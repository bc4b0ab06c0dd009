"""Networks of this project offered as black boxes: functions of uint8 images, for services/callable.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import networks
from qm_vae.services import SERVICES


def probabilities(images: np.ndarray, *, checkpoint: str) -> np.ndarray:
  """What the network in the folder `checkpoint` answers to uint8 [n, H, W, 3]: float32 [n, names].

  Probabilities of its classes or, where it is a network of attributes, of each attribute.

  Raises:
    ValueError: for a folder that holds no service.
  """
  answer = _opened(str(checkpoint))
  # The next power of two, so that batches of many sizes compile few programs.
  size = 1 << (len(images) - 1).bit_length()
  padded = np.concatenate([images, np.repeat(images[:1], size - len(images), axis=0)])
  return np.asarray(answer(padded))[: len(images)]


@functools.cache
def _opened(checkpoint):
  kind = networks.read_meta(checkpoint).get("kind")
  if kind is None or kind not in SERVICES:
    raise InputError(f"{checkpoint} holds a network of kind {kind!r}; a service is one of {', '.join(SERVICES)}")
  service = SERVICES[kind](checkpoint)
  activation = jax.nn.softmax if kind == "expression" else jax.nn.sigmoid
  answer = jax.jit(lambda params, image: activation(service.apply(params, image.astype(jnp.float32) / 255)))
  params = jax.device_put(service.params)
  return lambda images: answer(params, images)
