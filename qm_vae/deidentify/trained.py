"""Trained generators as methods: a finished run's folder, or the file that was exported from one."""

import pathlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import landmarkers, types
from qm_vae.deidentify import protector
from qm_vae.errors import InputError
from qm_vae.experiments import config_file, export_file, qm_vae, schema, settings
from qm_vae.experiments import gallery as run_gallery
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.io import checkpoints as checkpoint
from qm_vae.io import networks, run_folder
from qm_vae.models.generator import condition_of
from qm_vae.services import SERVICES

_SMALLEST = 0.75  # of the side that a QM-VAE was trained for: an enlarged face has too little detail to lose in codes


def open_run(folder: pathlib.Path) -> protector.Method:
  """The generator of a finished run.

  Raises:
    ValueError: for a run that is not finished or damaged, or whose networks are gone.
  """
  arrays, step = export_file.finished(folder)
  return _method(folder, config_file.load(folder), arrays, step, {"run": str(folder)})


def open_export(path: pathlib.Path) -> protector.Method:
  """The generator in a file that `qm_vae.export` wrote.

  Raises:
    InvalidFile: for another file, or one that is damaged.
  """
  with export_file.unpacked(path) as found:
    return _method(found.folder, found.config, found.arrays, found.step, {"run": str(path)})


def _method(folder, config, arrays, step, origin):
  config = schema.view(config)
  if config.release.mechanism == "k_same":
    raise InputError(
      f"{folder} releases faces by k-same, which groups all people beforehand; faces that come one by one have no "
      "group: give another run"
    )
  service = _service(folder, config)
  for name in config.views:
    _check_trained_with(folder, f"deid.{name}", config.deid.get(name, {}).get("checkpoint", ""))
  if settings.landmarks_shape(config):
    _check_trained_with(folder, "landmarks", config.landmarks)
  averaged = run_gallery.load(folder) if run_gallery.is_needed(config) else None
  views = {name: deidentifier(config, name, averaged) for name in config.views}
  generator, _ = qm_vae.generator_of(config, views, len(service.classes) if service else 0)
  params = qm_vae.views_params(config, views)
  size = settings.image_size(config)
  shapes = jax.eval_shape(generator.init, jax.random.key(0), params, _faces(size))
  trained, model_state = (
    _filled(tree, arrays, f".{name}") for tree, name in zip(shapes, ("params", "carried"), strict=True)
  )
  given = {
    "trained": trained,
    "model_state": model_state,
    "views": params,
    "service": service.params if service else (),
  }

  def apply(given, face, key):
    return generate(generator, service, given, face, key)

  margin = config.data.faces.margin if config.data.faces.detector == "haar" else 0.0
  smallest = round(_SMALLEST * size)
  description = {
    "name": "qm_vae",
    **origin,
    "step": step,
    "sha256": digest_of(arrays),
    "views": list(config.views),
    "alpha": config.alpha,
    "condition": config.condition.answer,
    "release": config.release.mechanism,
    "smallest": smallest,
  }
  needs = tuple({need for view in views.values() for need in view.needs})
  landmarker = landmarkers.load(config.landmarks) if settings.landmarks_shape(config) else None
  in_place = config.composite.region == "face"
  return protector.Method(
    given, apply, size, margin, needs, smallest, description, landmarker, in_place, service=service
  )


def generate(generator, service, given, face: types.Face, key: jax.Array) -> jax.Array:
  """What a generator makes of one face: the one place that knows how a generator is called."""
  batch = jax.tree.map(lambda x: x[None], face)
  answer = None
  if service:
    # Logs of probabilities are logits that have them.
    logits = service.apply(given["service"], batch.image) if face.answer is None else jnp.log(batch.answer)
    answer = condition_of(generator.condition_in_use, logits)
  made = generator.apply(
    given["trained"], given["model_state"], given["views"], batch, key, train=False, mask=None, answer=answer
  )
  return made.image[0]


def _service(folder, config):
  """The service whose answer the decoder or a view receives, the one of the training; None where none does."""
  if not settings.asks_service(config):
    return None
  _check_trained_with(folder, "service", config.service.checkpoint)
  return SERVICES["expression"](config.service.checkpoint)


def _check_trained_with(folder, name, path):
  known = run_folder.read_provenance(folder)["networks"]
  if (networks.read_meta(path)["sha256"] if path else None) != known.get(name):
    raise InputError(
      f"the network of config.{name} in {path} is not the one that {folder} was trained with; bring it back"
    )


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
  """SHA-256 of what a checkpoint holds of the generator."""
  return checkpoint.digest({name: array for name, array in arrays.items() if name.startswith((".params", ".carried"))})


def _faces(size):
  one = lambda *shape: jax.ShapeDtypeStruct((1, *shape), np.float32)
  return types.Face(one(size, size, 3), one(size, size, 1), one(4))


def _filled(tree, arrays, prefix):
  def leaf(path, shape):
    name = prefix + jax.tree_util.keystr(path)
    if name not in arrays or arrays[name].shape != shape.shape:
      raise InputError(
        f"the checkpoint does not fit its run's config: {name} should be {shape.shape} and is "
        f"{arrays[name].shape if name in arrays else 'missing'}; use the version of the code that it was trained with"
      )
    return arrays[name]

  return jax.tree_util.tree_map_with_path(leaf, tree)
