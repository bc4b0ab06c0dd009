"""Trains what an attacker wants trained, by the one training loop, in a folder where a killed run goes on."""

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
"""Of all that lessons teach; a new number teaches them all anew."""


def learner(folder: pathlib.Path, seed: int):
  """`Tools.learn` for attackers whose training is kept below `folder`.

  A lesson's own folder is named after what it teaches, so that a lesson that was finished is not taught again and one
  that was killed goes on.

  Args:
    folder: made where it is missing.
    seed: of every lesson.
  """

  def learn(lesson: AttackTraining) -> tuple[State, tuple[float, ...]]:
    where = folder / _digest(lesson, seed)
    where.mkdir(parents=True, exist_ok=True)
    experiment = Experiment(
      task=lesson.task,
      frozen=lesson.frozen,
      weights=(),
      data=Split(lesson.train, lesson.test, None, len(lesson.train), 0),
      seed=seed,
      epochs=lesson.epochs,
      batch_size=lesson.batch_size,
      evaluate_every=lesson.epochs,
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
    by_epoch = [[row["loss"] for row in rows if row["epoch"] == epoch + 1] for epoch in range(lesson.epochs)]
    return state, tuple(float(np.mean(losses)) for losses in by_epoch)

  return learn


def _digest(lesson, seed):
  """Of the examples, the networks that training starts from, and its length."""
  shapes = jax.eval_shape(lesson.task.init, jax.random.key(0), lesson.frozen, lesson.train.batch(np.arange(1)))
  parts = (
    VERSION,
    lesson.name,
    lesson.settings,
    sorted((name, column.shape) for name, column in lesson.train.columns.items()),
    seed,
    lesson.epochs,
    lesson.batch_size,
    jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), shapes),
  )
  digest = hashlib.sha256(repr(parts).encode())
  for array in (*lesson.train.columns.values(), *jax.tree.leaves(lesson.frozen)):
    digest.update(np.ascontiguousarray(array).tobytes())
  return f"{lesson.name}-{digest.hexdigest()[:16]}"
