"""The method that a name or a run's folder stands for."""

import os
import pathlib
from collections.abc import Callable, Mapping

import jax
import numpy as np

from qm_vae import landmarkers, types
from qm_vae.arguments import nearest
from qm_vae.deidentifiers import DEIDENTIFIERS, spec
from qm_vae.deidentify import protector, strangers
from qm_vae.experiments import config_file, qm_vae, schema, settings
from qm_vae.experiments import gallery as run_gallery
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.faces import cropping
from qm_vae.io import checkpoints as checkpoint
from qm_vae.io import images, networks, records, run_folder
from qm_vae.io.checkpoints import Checkpoints
from qm_vae.models.generator import condition_of
from qm_vae.options import declared, trait
from qm_vae.services import SERVICES
from qm_vae.types import Deidentifier

_CROP = 96  # pixels, side of a crop for methods that bring no size of their own
_IMAGE, _IMAGE_SIDE = "image:file=", 256  # pixels
_SMALLEST = (
  0.75  # of the side that a QM-VAE was trained for: an enlarged face has too little detail to lose any in codes
)


def names() -> tuple[str, ...]:
  """De-identifiers that hide something."""
  return tuple(name for name, factory in DEIDENTIFIERS.items() if not trait(factory, "hides_nothing"))


def open_method(
  given: str | os.PathLike | Deidentifier | Callable, *, gallery: str = "", service: str = "", landmarks: str = ""
) -> protector.Method:
  """The method that `given` is or names.

  Args:
    given: NAME or NAME:OPTION=VALUE,... of a de-identifier (docs/deidentifiers.md), 'image:file=PATH' for a picture
      over every face, the folder of a finished QM-VAE run, a de-identifier, or a function of one crop, uint8 [S, S, 3]
      -> uint8 [S, S, 3].
    gallery: folder of pictures of other people, for methods that average faces.
    service: folder of an expression network, for methods that keep its answer; '': they keep none.
    landmarks: folder of a landmark network, for methods that place faces by it; '': by the eyes that a cascade finds.

  Raises:
    ValueError: for what is neither, options out of range, or a run that is not finished or is damaged.
  """
  if isinstance(given, Deidentifier):
    return protector.of_deidentifier(given, _CROP, {"name": "deidentifier"})
  if callable(given):
    return protector.of_function(given, _CROP)
  text = os.fspath(given)
  name = text.partition(":")[0]
  if text.startswith(_IMAGE):
    return _image(pathlib.Path(text.removeprefix(_IMAGE)).expanduser())
  if name in names():
    found = spec.parse(text)
    if found is None:
      raise ValueError(f"{text!r} holds what is no option; write NAME:OPTION=VALUE,OPTION=VALUE")
    return _deidentifier(*found, gallery, service, landmarks)
  if (pathlib.Path(text).expanduser() / "config.json").is_file():
    return _run(pathlib.Path(text).expanduser())
  raise ValueError(
    f"no method is called {text!r}; {nearest(text.partition(':')[0], names())}choose one of {', '.join(names())}, or "
    "give the folder of a QM-VAE run (it holds config.json and checkpoints/)"
  )


def warning(name: str) -> str:
  """What users of the method of that name should know; '' for nothing."""
  if name in ("qm_vae", "image") or trait(DEIDENTIFIERS[name], "removes_identity"):
    return ""
  return f"warning: {name} leaves many people to be recognised (README, Who can still be named); solid does not"


def _image(path):
  """A picture's central square in the place of every face."""
  try:
    picture = images.read_image(path)
  except (OSError, types.UnreadableImage) as error:
    raise ValueError(f"image:file={path} cannot be read ({error}); name a picture") from None
  side = min(picture.shape[:2])
  top, left = (int(length - side) // 2 for length in picture.shape[:2])
  square = cropping.resize(np.ascontiguousarray(picture[top : top + side, left : left + side]), _IMAGE_SIDE)
  shown = square.astype(np.float32) / 255
  return protector.Method(
    shown, lambda params, face, key: params, _IMAGE_SIDE, None, (), 0, {"name": "image", "file": str(path)}
  )


def _deidentifier(name, given, gallery, service, landmarks):
  factory = DEIDENTIFIERS[name]
  options = trait(factory, "in_frames", {}) | given
  # A member's own option called `size` is its own; the side of the crop is then called `crop`.
  key = "crop" if "size" in declared(factory) else "size"
  size = options.pop(key, _CROP)
  if not isinstance(size, int) or not 16 <= size <= 1024:
    raise ValueError(f"{name}: {key} {size!r} must be a whole number of pixels from 16 to 1024; try {_CROP}")
  description = {"name": name, "options": options | {key: size}}
  if trait(factory, "needs_gallery"):
    if not gallery:
      raise ValueError(f"{name} averages faces of other people; name a folder of their pictures: --gallery=FOLDER")
    options = options | strangers.gallery_options(gallery, size, service if trait(factory, "needs_service") else "")
    description |= {"gallery": str(gallery), "gallery_faces": len(options["gallery"]), "service": str(service)}
  landmarker = landmarkers.load(landmarks) if landmarks and trait(factory, "uses_landmarker") else None
  if landmarker:
    options = options | {"landmarker": landmarker}
    description |= {"landmarks": str(landmarks)}
  return protector.of_deidentifier(factory(**options), size, description, landmarker)


def _run(folder):
  config = config_file.load(folder)
  schema.check(config)
  config = schema.view(config)
  if config.task != "qm_vae":
    raise ValueError(f"{folder} holds a run of task {config.task!r}; give one of task 'qm_vae'")
  if config.release.mechanism == "k_same":
    raise ValueError(
      f"{folder} releases faces by k-same, which groups all people beforehand; faces that come one by one have no "
      "group: give another run"
    )
  rows = records.read_rows(folder)
  epoch = max((row["epoch"] for row in rows if row["split"] == "test"), default=0)
  if epoch != config.epochs:
    raise ValueError(f"{folder} is not finished: epoch {epoch} of {config.epochs}; let python -m qm_vae.main go on")
  checkpoints = Checkpoints(folder / "checkpoints")
  try:
    arrays, step = checkpoints.read(), checkpoints.steps()[-1]
  finally:
    checkpoints.close()
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
    "run": str(folder),
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
  return protector.Method(given, apply, size, margin, needs, smallest, description, landmarker, in_place)


def generate(generator, service, given, face: types.Face, key: jax.Array) -> jax.Array:
  """What a generator makes of one face: the one place that knows how a generator is called."""
  batch = jax.tree.map(lambda x: x[None], face)
  answer = condition_of(generator.condition_in_use, service.apply(given["service"], batch.image)) if service else None
  made = generator.apply(
    given["trained"], given["model_state"], given["views"], batch, key, train=False, mask=None, answer=answer
  )
  return made.image[0]


def _service(folder, config):
  """The service whose answer a conditioned decoder receives, the one of the training; None without a condition."""
  if config.condition.answer == "none":
    return None
  _check_trained_with(folder, "service", config.service.checkpoint)
  return SERVICES["expression"](config.service.checkpoint)


def _check_trained_with(folder, name, path):
  known = run_folder.read_provenance(folder)["networks"]
  if (networks.read_meta(path)["sha256"] if path else None) != known.get(name):
    raise ValueError(
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
      raise ValueError(
        f"the checkpoint does not fit its run's config: {name} should be {shape.shape} and is "
        f"{arrays[name].shape if name in arrays else 'missing'}; use the version of the code that it was trained with"
      )
    return arrays[name]

  return jax.tree_util.tree_map_with_path(leaf, tree)


def crop_settings(method: protector.Method, margin: float | None, feather: float) -> cropping.Settings:
  """How faces are cropped for a method: `margin` around the box is fully covered, and the soft edge lies around that.

  Args:
    method: what the crop is for.
    margin: share of the box's side on each side; None: what the method wants, else 0.2.
    feather: width of the soft edge, share of the box's side.
  """
  if margin is None:
    margin = 0.2 if method.margin is None else max(method.margin - feather, 0.0)
  eyes = "cascade" if "eyes" in method.needs else "average"
  return cropping.Settings(image_size=method.size, margin=margin + feather, eyes=eyes)
