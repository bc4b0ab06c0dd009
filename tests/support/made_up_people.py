"""A world of people who are random pictures, small enough to learn within seconds."""

import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.privacy import contract

SIDE, PEOPLE, EACH, ATTACKED = 16, 90, 4, 30
CHANCE = 1 / ATTACKED


def world(protect=lambda image, random: image):
  """Pairs whose people differ in 16 large blocks, with noise in every picture."""
  random = np.random.default_rng(0)
  person = random.uniform(60, 190, (PEOPLE, 4, 4, 3)).repeat(4, 1).repeat(4, 2)
  identity = np.repeat(np.arange(PEOPLE, dtype=np.int32), EACH)
  image = np.clip(person[identity] + random.normal(0, 12, (len(identity), SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
  protected = protect(image, random)
  # What a quantizer might make of the protected picture: the brightness of each block in 8 steps.
  codes = (protected.reshape(-1, 4, 4, 4, 4, 3).mean((2, 4, 5)) / 32).astype(np.int32)
  return contract.Pairs(
    original=image,
    protected=protected,
    eyes=np.tile(np.float32([5, 6, 11, 6]), (len(image), 1)),
    protected_eyes=np.tile(np.float32([5, 6, 11, 6]), (len(image), 1)),
    identity=identity,
    name=tuple(map(str, range(len(image)))),
    pixels=protected,
    codes=codes,
  )


def embedder():
  """A fixed random projection of the blocks."""
  weights = np.random.default_rng(1).normal(0, 0.01, (48, 32)).astype(np.float32)

  def apply(params, image, eyes):
    blocks = image.reshape(*image.shape[:-3], 4, 4, 4, 4, 3).mean((-4, -2)) - 0.5
    embedding = blocks.reshape(*blocks.shape[:-3], 48) @ params["params"]["weights"] + 0 * eyes[..., :1]
    return embedding / jnp.linalg.norm(embedding + 1e-6, axis=-1, keepdims=True)

  return types.Embedder({"params": {"weights": weights}}, apply, "projection")
