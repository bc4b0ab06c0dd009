"""A task small enough to reason about, and runs of it."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from qm_vae import types
from qm_vae.data.batches import to_face
from qm_vae.io import records
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import loop
from qm_vae.training.state import Experiment, Split, State, Task


def faces(num=24, seed=0):
  random = np.random.default_rng(seed)
  return types.FaceSet(
    image=random.integers(0, 256, (num, 4, 4, 3), np.uint8),
    mask=np.ones((num, 4, 4, 1), np.uint8),
    eyes=np.zeros((num, 4), np.float32),
    box=np.zeros((num, 3), np.float32),
    identity=np.arange(num, dtype=np.int32),
    label=np.full(num, -1, np.int32),
    index=np.arange(num, dtype=np.int32),
    name=tuple(map(str, range(num))),
    classes=(),
    identities=(),
    missed=(),
  )


def task(*, max_traces=None, poison=None, poison_update=None):
  """Learns the mean colour from noisy pixels and carries a moving average.

  `poison` makes the term of the step after that many NaN, `poison_update` its update only.
  With `max_traces` a further trace of the step raises.
  """
  optimizer = optax.adam(0.1)

  def init(key, frozen, batch):
    del frozen, batch
    params = jax.random.normal(key, (3,))
    return State(jnp.zeros((), jnp.int32), params, optimizer.init(params), jnp.zeros(()))

  def step(state, frozen, batch, weights, key):
    image = to_face(batch).image + 0.1 * jax.random.normal(key, batch["image"].shape)

    def loss(params):
      terms = jnp.mean((image - params * frozen) ** 2, (1, 2, 3)) * weights
      return terms.mean(), terms

    gradient, terms = jax.grad(loss, has_aux=True)(state.params)
    if poison is not None:
      terms = jnp.where(state.step == poison, jnp.nan, terms)
    if poison_update is not None:
      gradient = jnp.where(state.step == poison_update, jnp.nan, gradient)
    updates, opt_state = optimizer.update(gradient, state.opt_state)
    new = State(state.step + 1, state.params + updates, opt_state, 0.9 * state.model_state + terms.mean())
    return new, {"loss": terms, "colour_counts": jnp.bincount(batch["identity"] % 4, length=4).astype(jnp.float32)}

  def evaluate(state, frozen, batch, key):
    del key
    return {"error": jnp.mean((to_face(batch).image - state.params * frozen) ** 2, (1, 2, 3))}

  if max_traces is not None:
    step = chex.assert_max_traces(step, n=max_traces)
  return Task(init, step, evaluate)


def experiment(epochs=4, **kwargs):
  return Experiment(
    task=task(**kwargs),
    frozen=jnp.float32(1.0),
    weights=jnp.float32(1.0),
    data=Split(faces(24), faces(6, seed=1), None, 30, 0),
    seed=0,
    epochs=epochs,
    batch_size=8,
    evaluate_every=1,
    checkpoint_every=1,
    log_every=2,
    parts=None,
  )


def fit(workdir, **kwargs):
  workdir.mkdir(exist_ok=True)
  checkpoints = Checkpoints(workdir / "checkpoints")
  try:
    return jax.device_get(loop.fit(experiment(**kwargs), workdir, checkpoints))
  finally:
    checkpoints.close()


def rows_without_speed(workdir):
  return [
    {k: v for k, v in row.items() if k not in ("images_per_second", "seconds")} for row in records.read_rows(workdir)
  ]
