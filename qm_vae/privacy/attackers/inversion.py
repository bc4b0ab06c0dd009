"""The attacker who undoes the method with a network trained on pairs, and shows the result to a recogniser."""

import jax
import numpy as np
import optax

from qm_vae import types
from qm_vae.metrics import images
from qm_vae.models.translator import Translator
from qm_vae.privacy import contract
from qm_vae.privacy.attackers import AttackTraining
from qm_vae.training import schedule
from qm_vae.training.tasks import translator

MIN_FACES = 200
EPOCHS = 8
BATCH_SIZE = 32
_LEARNING_RATE = 2e-3
_HELD_OUT = 0.05
_ROWS = 64  # faces at a time


def make(tools) -> contract.Attacker:
  """Translates protected faces back, then compares them with clear ones by the cosine of their embeddings.

  `measures` gives the SSIM of what it made against the original, and that of the mean training face, which knows
  nothing.
  """

  def fit(train):
    test = max(round(_HELD_OUT * len(train)), 1)
    rows = lambda pairs: types.Table({"image": pairs.protected, "wanted": pairs.original})
    epochs = max(round(EPOCHS * tools.training_scale), 2)
    steps = epochs * ((len(train) - test) // BATCH_SIZE)
    module = Translator()
    task = translator.make(module, optax.adam(schedule.make("cosine", _LEARNING_RATE, steps, warmup=steps // 20)))
    held_out, taught = rows(train.take(np.arange(test))), rows(train.take(np.arange(test, len(train))))
    state, losses = tools.learn(
      AttackTraining("inversion", task, (), taught, held_out, epochs, BATCH_SIZE, (_LEARNING_RATE, "residual"))
    )
    params, mean = jax.device_get(state.params), train.original.mean(0, dtype=np.float64) / 255
    apply = jax.jit(lambda params, image: module.apply(params, image.astype(np.float32) / 255))

    def undo(image):
      made = [apply(params, image[i : i + _ROWS]) for i in range(0, len(image), _ROWS)]
      return np.rint(np.concatenate(made) * 255).astype(np.uint8)

    def scores(gallery, probe):
      return tools.embed(undo(probe.protected), probe.protected_eyes) @ tools.embed(gallery.original, gallery.eyes).T

    def measures(probe):
      wanted = probe.original.astype(np.float32) / 255
      of = lambda made: float(np.mean(images.ssim(made.astype(np.float32), wanted)))
      return {"ssim": of(undo(probe.protected) / 255), "ssim_mean_face": of(np.broadcast_to(mean, wanted.shape))}

    return contract.Attack(scores, losses, measures)

  def unmet_requirements(train):
    return "" if len(train) >= MIN_FACES else f"learns from {len(train)} faces; needs {MIN_FACES}"

  return contract.Attacker(fit, gallery="clear", unmet_requirements=unmet_requirements, trains=True)
