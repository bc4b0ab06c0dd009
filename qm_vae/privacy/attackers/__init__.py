"""Attackers: those who try to tell who a protected face is. The contract is `contract.Attacker`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from qm_vae import types
from qm_vae.registry import Registry

if TYPE_CHECKING:
  from qm_vae.training.state import State, Task

ATTACKERS = Registry(
  "attacker",
  {
    "naive": "qm_vae.privacy.attackers.naive:make",
    "linkage": "qm_vae.privacy.attackers.linkage:make",
    "parrot": "qm_vae.privacy.attackers.parrot:make",
    "cross": "qm_vae.privacy.attackers.cross:make",
    "inversion": "qm_vae.privacy.attackers.inversion:make",
    "codes": "qm_vae.privacy.attackers.codes:make",
    "residual": "qm_vae.privacy.attackers.residual:make",
    "ridge": "qm_vae.privacy.attackers.ridge:make",
  },
  group="qm_vae.attackers",
)
"""Each is `make(tools) -> contract.Attacker`."""


class AttackTraining(NamedTuple):
  """What an attacker trains and on what; the loop is the caller's."""

  name: str  # of the attacker
  task: Task
  frozen: object
  train: types.Table
  test: types.Table
  epochs: int
  batch_size: int
  settings: tuple  # whatever else shapes what is learnt: rates, weights, augmentation


class Tools(NamedTuple):
  """What attackers work with."""

  embed: types.HostEmbedder  # a frozen face recogniser
  embedder: types.Embedder | None  # one in the graph, to start training from; None where there is only a black box
  learn: Callable[[AttackTraining], tuple[State, tuple[float, ...]]]  # trains; the loss of every epoch
  training_scale: float  # epochs are multiplied by it; 1 is the default
