"""One picture, hidden by several methods."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qm_vae import landmarkers
from qm_vae.data import DATASETS
from qm_vae.deidentify import methods, pictures
from qm_vae.deidentify.hiding import TOGETHER, Hider
from qm_vae.deidentify.selection import Selection
from qm_vae.errors import InputError
from qm_vae.faces import detectors
from qm_vae.faces.detectors import tiles

USUAL = ("solid", "blindfold", "mosaic", "laplace:scale=8", "cartoon", "aligned_mean", "warped_mean")
"""Methods of the page: what leaves nothing, the paper's views, and the means of other people's faces."""

_DRAWN, _FIRST, _SIDE = 120, 50_000, 192  # people whose faces are averaged, the number of the first, pixels


class Hidden(NamedTuple):
  """What one method makes of a picture."""

  method: str
  image: np.ndarray | None  # uint8 [H, W, 3]; None where it failed
  error: str  # why it failed, or ''
  recognisable: bool  # recognisers were measured to name many people in what it leaves


class Compared(NamedTuple):
  """What all methods make of a picture."""

  faces: int  # found
  hidden: list[Hidden]


class Comparison:
  """Hides the faces of pictures by each of several methods; every picture is searched once."""

  def __init__(
    self,
    given: Sequence[str] = USUAL,
    *,
    detector: str = "auto",
    gallery: str = "",
    service: str = "",
    landmarks: str = "",
  ):
    """Opens the methods; they compile at the first face.

    Args:
      given: methods as `methods.open_method` takes them, each once.
      detector: a name in faces.detectors.DETECTORS, or the path of an ONNX file.
      gallery: folder of pictures of other people, for methods that average faces; '': drawn people.
      service: folder of an expression network, for methods that keep its answer; '': they keep none.
      landmarks: folder of a landmark network, for methods that place faces by it; '': the eyes place them.

    Raises:
      InputError: for a method, detector or folder that does not exist or is damaged.
    """
    others = gallery or drawn_people(_FIRST, _DRAWN)
    find = landmarkers.on_host(landmarkers.load(landmarks), TOGETHER) if landmarks else None
    self._detector = tiles.tiled(detectors.open_detector(detector))
    self._hiders = {}
    for name in given:
      method = methods.open_method(name, gallery=others, service=service, landmarks=landmarks)
      self._hiders[name] = Hider(method, landmarker=find), bool(methods.warning(method.description["name"]))

  def __call__(self, image: np.ndarray) -> Compared:
    """What each method makes of `image`, uint8 [H, W, 3] RGB; a method that fails says why and shows nothing."""
    found = self._detector.find(image)
    searched = self._detector._replace(find=lambda _: found)
    made = []
    for name, (hider, recognisable) in self._hiders.items():
      try:
        done = pictures.protect(image, searched, hider, Selection())
        made.append(Hidden(name, done.image, "", recognisable))
      except InputError as error:
        made.append(Hidden(name, None, str(error), recognisable))
    return Compared(len(found.boxes), made)


def drawn_people(first: int, count: int):
  """A source of `count` people who do not exist, one picture each."""
  return DATASETS["synthetic"](num_people=count, images_per_person=1, frame_size=_SIDE, first_person=first)
