"""What a finished QM-VAE run leaves in its folder, with weights that were never trained."""

import json
import pathlib

import jax
import jax.numpy as jnp

from configs import smoke
from qm_vae.experiments import qm_vae, schema
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.training import state
from qm_vae.types import Face

SIZE, STEP = 32, 5


def write(folder: pathlib.Path) -> None:
  """Writes config, provenance, metrics and one checkpoint of crops of SIZE pixels to `folder`."""
  config = smoke.get_config()
  config.image_size, config.model.preset = SIZE, "small"
  views = {name: deidentifier(config, name) for name in config.views}
  generator, _ = qm_vae.generator_of(schema.view(config), views, 7)
  face = Face(jnp.full((1, SIZE, SIZE, 3), 0.5), jnp.ones((1, SIZE, SIZE, 1)), jnp.float32([[10, 12, 20, 12]]))
  params, model_state = jax.jit(generator.init)(jax.random.key(0), tuple(view.params for view in views.values()), face)
  checkpoints = Checkpoints(folder / "checkpoints")
  checkpoints.save(STEP, state.State(jnp.int32(STEP), params, (jnp.zeros(3), {"a": jnp.ones(2)}), model_state))
  checkpoints.close()
  (folder / "config.json").write_text(json.dumps(config.to_dict()))
  (folder / "provenance.json").write_text(json.dumps({"train": "a", "test": "b", "networks": {}}))
  (folder / "metrics.jsonl").write_text(json.dumps({"step": STEP, "split": "test", "epoch": config.epochs}) + "\n")
