"""Further terms of the loss: what makes an output look real, and what takes a person out of it.

A term receives the generator's inputs and outputs and returns a loss per image. It may have parameters of its own,
trained in the same step (a discriminator, an identity attacker). A factory that works with given networks is marked
with `options.member` and the trait `needs`: the config key that names them.
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
"""Each is make(...) -> Term; its arguments differ from term to term."""


class LossInputs(NamedTuple):
  """A batch before and after the generator: what every loss term receives."""

  face: Face  # image [B, H, W, 3]; the generator's input
  image: jax.Array  # [B, H, W, 3] in [0, 1], its output
  seen: jax.Array  # [B, H, W, 3], the output augmented, as services see it in the loss
  target: jax.Array  # [B, C] logits of the answer that the output should bring
  mask: jax.Array  # [B] in {0, 1}, 0 for padding


class Term(NamedTuple):
  """One loss term as pure functions; members of registry TERMS return one.

  Gradients of `loss` reach the generator only, those of `learn` the term's own params only; `frozen` gets none.
  """

  frozen: Any  # networks that nobody trains, an argument of every function
  init: Callable[[jax.Array], Any]  # key -> params; () where there is nothing to train
  loss: Callable  # (params, frozen, LossInputs, key) -> [B], the generator's loss
  learn: Callable | None = None  # (params, frozen, LossInputs, key) -> [B], the loss of the term's own params
  renew_every: int = 0  # steps after which its params are initialised again; 0: never


def untrained(key: jax.Array) -> tuple:
  """`Term.init` of a term with nothing to train."""
  del key
  return ()
