"""The method that a name or a run's folder stands for."""

import os
import pathlib
from collections.abc import Callable

import numpy as np

from qm_vae import types
from qm_vae.arguments import nearest
from qm_vae.deidentifiers import DEIDENTIFIERS, spec
from qm_vae.deidentify import protector
from qm_vae.errors import InputError
from qm_vae.faces import cropping
from qm_vae.io import images
from qm_vae.options import declared, trait
from qm_vae.types import Deidentifier

_CROP = 96  # pixels, side of a crop for methods that bring no size of their own
_IMAGE, _IMAGE_SIDE = "image:file=", 256  # pixels


def names() -> tuple[str, ...]:
  """De-identifiers that hide something."""
  return tuple(name for name, factory in DEIDENTIFIERS.items() if not trait(factory, "hides_nothing"))


def open_method(
  given: str | os.PathLike | Deidentifier | Callable,
  *,
  gallery: str | types.Source = "",
  service: str = "",
  landmarks: str = "",
) -> protector.Method:
  """The method that `given` is or names.

  Args:
    given: NAME or NAME:OPTION=VALUE,... of a de-identifier (docs/deidentifiers.md), 'image:file=PATH' for a picture
      over every face, the folder of a finished QM-VAE run, a de-identifier, or a function of one crop, uint8 [S, S, 3]
      -> uint8 [S, S, 3]; or the file that `qm_vae.export` made of such a run.
    gallery: folder of pictures of other people, or a dataset of them, for methods that average faces.
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
      raise InputError(f"{text!r} holds what is no option; write NAME:OPTION=VALUE,OPTION=VALUE")
    if name == "mosaic" and list(found[1]) == ["pixels"]:
      return _mosaic_of_frame(found[1]["pixels"])
    return _deidentifier(*found, gallery, service, landmarks)
  path = pathlib.Path(text).expanduser()
  if path.is_file() or (path / "config.json").is_file():
    from qm_vae.deidentify import trained  # checkpoints and schema, which no other method needs

    return trained.open_export(path) if path.is_file() else trained.open_run(path)
  raise InputError(
    f"no method is called {text!r}; {nearest(text.partition(':')[0], names())}choose one of {', '.join(names())}, or "
    "give the folder of a QM-VAE run (it holds config.json and checkpoints/), or the file that python -m qm_vae.export "
    "made of one"
  )


def warning(name: str) -> str:
  """What users of the method of that name should know; '' for nothing."""
  if name in ("qm_vae", "image") or trait(DEIDENTIFIERS[name], "removes_identity"):
    return ""
  return f"warning: {name} leaves many people re-identifiable (docs/results.md); solid does not"


def _image(path):
  """A picture's central square in the place of every face."""
  try:
    picture = images.read_image(path)
  except (OSError, types.UnreadableImage) as error:
    raise InputError(f"image:file={path} cannot be read ({error}); name a picture") from None
  side = min(picture.shape[:2])
  top, left = (int(length - side) // 2 for length in picture.shape[:2])
  square = cropping.resize(np.ascontiguousarray(picture[top : top + side, left : left + side]), _IMAGE_SIDE)
  shown = square.astype(np.float32) / 255
  return protector.Method(
    shown, lambda params, face, key: params, _IMAGE_SIDE, None, (), 0, {"name": "image", "file": str(path)}
  )


def _mosaic_of_frame(pixels):
  """A mosaic whose blocks have so many pixels of the frame, whatever the face's size."""
  if not isinstance(pixels, int) or pixels < 2:
    raise InputError(f"mosaic: pixels {pixels!r} must be a whole number of at least 2")

  def of_square(crop, side):
    count = min(max(round(side / pixels), 1), len(crop))
    nearest_block = np.arange(len(crop)) * count // len(crop)
    return cropping.resize(crop, count)[nearest_block][:, nearest_block]

  description = {"name": "mosaic", "options": {"pixels": pixels}}
  return protector.Method((), _black, 2 * _CROP, None, (), 0, description, of_square=of_square)


def _black(params, face, key):
  """Never shown: `of_square` takes its place."""
  del params, key
  return face.image * 0


def _deidentifier(name, given, gallery, service, landmarks):
  factory = DEIDENTIFIERS[name]
  options = trait(factory, "in_frames", {}) | given
  # A member's own option called `size` is its own; the side of the crop is then called `crop`.
  key = "crop" if "size" in declared(factory) else "size"
  size = options.pop(key, _CROP)
  if not isinstance(size, int) or not 16 <= size <= 1024:
    raise InputError(f"{name}: {key} {size!r} must be a whole number of pixels from 16 to 1024; try {_CROP}")
  description = {"name": name, "options": options | {key: size}}
  if trait(factory, "needs_gallery"):
    if not gallery:
      raise InputError(f"{name} averages faces of other people; name a folder of their pictures: --gallery=FOLDER")
    from qm_vae.deidentify import strangers

    options = options | strangers.gallery_options(gallery, size, service if trait(factory, "needs_service") else "")
    description |= {"gallery": strangers.name_of(gallery), "gallery_faces": len(options["gallery"])}
    description |= {"service": str(service)}
  landmarker = None
  if landmarks and trait(factory, "uses_landmarker"):
    from qm_vae import landmarkers

    landmarker = landmarkers.load(landmarks)
    options = options | {"landmarker": landmarker}
    description |= {"landmarks": str(landmarks)}
  return protector.of_deidentifier(factory(**options), size, description, landmarker, options.get("service"))


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
