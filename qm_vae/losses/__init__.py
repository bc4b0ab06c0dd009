"""Further terms of the loss: what makes an output look real, and what takes a person out of it.

A term sees what the generator made of a batch and says what the generator pays for it. A term may have parameters of
its own, trained in the same step against the generator (or, as a discriminator's, against its pictures). A factory that
works with given networks is marked with `options.member` and the trait `needs`: the config key that names them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from qm_vae.registry import Registry
from qm_vae.types import Face

TERMS = Registry(
  "term",
  {
    "ensemble": "qm_vae.losses.ensemble:make",
    "smoothness": "qm_vae.losses.smoothness:make",
    "perceptual": "qm_vae.losses.perceptual:make",
    "discriminator": "qm_vae.losses.discriminator:make",
    "identity": "qm_vae.losses.identity:make",
    "parrot": "qm_vae.losses.leakage:make",
  },
  group="qm_vae.terms",
)
"""Each is make(...) -> Term; what it is made of is its own."""


class LossInputs(NamedTuple):
  """A batch before and after the generator."""

  face: Face  # image [B, H, W, 3]; what the generator was given
  image: jax.Array  # [B, H, W, 3] in [0, 1], what it made of it
  seen: jax.Array  # [B, H, W, 3], the same as services see it in the loss, augmented
  target: jax.Array  # [B, C] logits of the answer that the output should bring
  mask: jax.Array  # [B] in {0, 1}, 0 for padding


class Term(NamedTuple):
  """One term, pure. No gradient flows into `frozen`, nor from `loss` into `params`, nor from `learn` into the scene."""

  frozen: Any  # networks that nobody trains, an argument of every function
  init: Callable[[jax.Array], Any]  # key -> params; () where there is nothing to train
  loss: Callable  # (params, frozen, scene, key) -> [B], what the generator pays
  learn: Callable | None = None  # (params, frozen, scene, key) -> [B], what the term's own params pay
  renew_every: int = 0  # steps after which its params begin anew; 0: never


def untrained(key: jax.Array) -> tuple:
  """`Term.init` of a term with nothing to train."""
  del key
  return ()
