"""Trains what an attacker wants trained, by the one training loop, in a folder that an interrupted run resumes in."""

import hashlib
import pathlib

import jax
import numpy as np

from qm_vae.io.checkpoints import Checkpoints
from qm_vae.io.records import read_rows
from qm_vae.privacy.attackers import AttackTraining
from qm_vae.training import loop
from qm_vae.training.state import Experiment, Split, State

VERSION = 1
"""Of the attackers' training; a new number trains them all anew."""


def learner(folder: pathlib.Path, seed: int):
  """`Tools.learn` for attackers whose training is kept below `folder`.

  The folder of a training is named after what it trains, so that a finished one is not repeated and an interrupted one
  is resumed.

  Args:
    folder: made where it is missing.
    seed: of every training.
  """

  def learn(attack: AttackTraining) -> tuple[State, tuple[float, ...]]:
    where = folder / _digest(attack, seed)
    where.mkdir(parents=True, exist_ok=True)
    experiment = Experiment(
      task=attack.task,
      frozen=attack.frozen,
      weights=(),
      data=Split(attack.train, attack.test, None, len(attack.train), 0),
      seed=seed,
      epochs=attack.epochs,
      batch_size=attack.batch_size,
      evaluate_every=attack.epochs,
      checkpoint_every=1,
      log_every=25,
      parts=None,
    )
    checkpoints = Checkpoints(where / "checkpoints", 1)
    try:
      state = loop.fit(experiment, where, checkpoints)
    finally:
      checkpoints.close()
    rows = [row for row in read_rows(where) if row["split"] == "train"]
    by_epoch = [[row["loss"] for row in rows if row["epoch"] == epoch + 1] for epoch in range(attack.epochs)]
    return state, tuple(float(np.mean(losses)) for losses in by_epoch)

  return learn


def _digest(attack, seed):
  """Of the examples, the networks that training starts from, and its length."""
  shapes = jax.eval_shape(attack.task.init, jax.random.key(0), attack.frozen, attack.train.batch(np.arange(1)))
  parts = (
    VERSION,
    attack.name,
    attack.settings,
    sorted((name, column.shape) for name, column in attack.train.columns.items()),
    seed,
    attack.epochs,
    attack.batch_size,
    jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), shapes),
  )
  digest = hashlib.sha256(repr(parts).encode())
  for array in (*attack.train.columns.values(), *jax.tree.leaves(attack.frozen)):
    digest.update(np.ascontiguousarray(array).tobytes())
  return f"{attack.name}-{digest.hexdigest()[:16]}"
