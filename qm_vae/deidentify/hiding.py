"""Faces of pictures hidden: cropped, protected together, and pasted back with a soft edge."""

import copy
import hashlib
import secrets
from collections.abc import Callable, Sequence

import jax
import numpy as np

from qm_vae.deidentify import methods, protector
from qm_vae.deidentify.answers import Answers
from qm_vae.deidentify.tracking.smoothing import Smoother
from qm_vae.errors import InputError
from qm_vae.faces import cropping, framing, pasting

_COVERED = 1 / 3  # of the found box; a face from brow to chin takes about half of it
_WHOLE = 0.98  # of a crop: who changes so much of it found no outline in it (faces.compositing)
_PLAIN_FOR = 12  # frames
TOGETHER = 8  # faces that a landmark network sees at a time: about those of a call, frames of one face each
_FAR = 4.0  # sides of the crop; no landmark is further away


class Hider:
  """Hides faces by one method; those that are too small for it by a plain area."""

  def __init__(
    self,
    method: protector.Method,
    *,
    margin: float | None = None,
    feather: float = 0.05,
    shape: str = "box",
    seed: int | None = None,
    landmarker: Callable[[np.ndarray], np.ndarray] | None = None,
  ):
    """Compiles at the first face.

    Args:
      method: see methods.open_method.
      margin: share of the box's longer side that is covered around it; None: the method's own.
      feather: width of the soft edge around what is covered, the same share.
      shape: one of faces.SHAPES.
      seed: of the noise; None draws a secret one that nobody learns, since with it the noise can be taken away.
        Pictures and videos each take `of`, so that none of them shows another's noise.
      landmarker: uint8 [N, S, S, 3] -> float32 [N, 68, 2], for methods that need landmarks.
    """
    self._settings = methods.crop_settings(method, margin, feather)
    self._feather = feather / (1 + 2 * self._settings.margin)
    self._shape = shape
    self._smallest = method.smallest
    self._keeps_context = method.keeps_context
    self._of_square = method.of_square
    self._protector, self._key = protector.Protector(method), _key(seed)
    if "landmarks" in method.needs and landmarker is None:
      raise InputError(
        f"{method.description['name']} needs landmarks; name the network that finds them: --landmarks=FOLDER "
        "(python -m qm_vae.convert faceapi-landmarks writes one, configs/landmarks.py trains one)"
      )
    self._find = None
    if method.landmarker:
      from qm_vae import landmarkers  # Flax, which no other method needs

      self._find = landmarkers.on_host(method.landmarker, TOGETHER)
    self._landmarks = landmarker if "landmarks" in method.needs else None
    self._smoother = Smoother()
    self._answers = Answers(method.service, TOGETHER) if method.service else None
    self._plain: dict[int, int] = {}  # for how many frames more a track is painted over
    self.description = {"margin": self._settings.margin - feather, "feather": feather, "shape": shape, "seed": seed}

  def of(self, shown: bytes) -> "Hider":
    """The same with noise of its own for one picture or video, distinguished from all others by `shown`."""
    own = copy.copy(self)
    for word in np.frombuffer(hashlib.sha256(shown).digest(), np.uint32)[:4]:
      own._key = jax.random.fold_in(own._key, word)
    own._smoother, own._plain = Smoother(), {}
    own._answers = self._answers.anew() if self._answers else None
    return own

  @property
  def foresight(self) -> float:
    """Seconds after a frame in which faces are of use to it; 0 where the method asks no service."""
    return self._answers.reach if self._answers else 0.0

  def foresee(
    self,
    pictures: Sequence[np.ndarray],
    boxes: Sequence[Sequence[np.ndarray]],
    tracks: Sequence[Sequence[int]],
    times: Sequence[float],
  ) -> None:
    """Asks the method's service about faces that are to be hidden later, so that earlier ones change towards them.

    The arguments are those of the call, and it raises what the call raises.
    """
    faces = _faces(pictures, boxes, tracks)
    if not faces or not self._answers:
      return
    images, squares, _ = self._cropped([(pictures[which], box) for which, _, box in faces])
    large = np.flatnonzero(squares[:, 2] >= self._smallest)
    self._answers.add(images[large], [faces[i][1] for i in large], [times[faces[i][0]] for i in large])

  def __call__(
    self,
    pictures: Sequence[np.ndarray],
    boxes: Sequence[Sequence[np.ndarray]],
    tracks: Sequence[Sequence[int]],
    times: Sequence[float] | None = None,
  ) -> list[np.ndarray | None]:
    """The pictures with the faces in `boxes` hidden; the faces of all pictures go through the method together.

    Args:
      pictures: uint8 [H, W, 3] RGB each; they are not changed.
      boxes: for each picture its faces' boxes [4]: x, y, width, height, pixels.
      tracks: for each picture its faces' numbers; a number stands for one appearance.
      times: of the pictures, seconds of one video, in which what the service answers on a track is smoothed; None: the
        pictures stand for themselves.

    Returns:
      uint8 [H, W, 3] each; None for a picture of which a face could not be hidden.

    Raises:
      ValueError: where a network answers with numbers that are not finite.
    """
    faces = _faces(pictures, boxes, tracks)
    made = [picture.copy() for picture in pictures]
    if not faces:
      return made
    images, squares, fits = self._cropped([(pictures[which], box) for which, _, box in faces])
    eyes = np.stack([cropping.find_eyes(image, self._settings) for image in images])
    landmarks = self._placed(images, squares, [number for _, number, _ in faces], fits)
    # The smallest last: within a larger crop a face would be shown by what the method makes of the whole of that.
    order = np.argsort(-squares[:, 2], kind="stable")
    large = squares[order, 2] >= self._smallest
    chosen = order[large]
    hidden, fine = np.zeros_like(images), np.ones(len(images), bool)
    if self._of_square is not None:
      hidden = np.stack([self._of_square(*one) for one in zip(images, squares[:, 2].astype(int), strict=True)])
      chosen = chosen[:0]
    numbers, answers = [faces[i][1] for i in chosen], None
    if self._answers and times is not None and len(chosen):
      answers = self._answers(images[chosen], numbers, [times[faces[i][0]] for i in chosen])
    hidden[chosen], fine[chosen] = self._protector(
      images[chosen],
      eyes[chosen],
      None if landmarks is None else landmarks[chosen],
      np.array(numbers, int),
      self._key,
      answers,
    )
    for i, by_method in zip(order, large, strict=True):
      which, crop, face, square, good = faces[i][0], images[i], hidden[i], squares[i], fine[i]
      if not good:
        made[which] = None
      elif made[which] is not None:
        if not self._keeps_context:
          pasting.blend(made[which], face, square, feather=self._feather, shape=self._shape)
        elif self._is_placed(faces[i][1], region := pasting.changed_region(crop, face), by_method):
          pasting.blend_region(made[which], face, square, region)
        else:
          self._paint_over(made[which], pictures[which], faces[i][2])
    return made

  def _is_placed(self, track, region, by_method):
    """Whether a face is replaced in its outline: it is large enough, and was found now and in the last frames.

    A track that changed between a face and a plain area with every frame would be hard to look at.
    """
    fine = by_method and self._covers(region) and region.mean() < _WHOLE
    self._plain[track] = _PLAIN_FOR if not fine else max(self._plain.get(track, 0) - 1, 0)
    return not self._plain[track]

  def _paint_over(self, made, picture, box):
    """Hides a whole face, and a margin around it, by an oval of its mean colour."""
    crop, _, square = cropping.crop(picture, _outward(box), self._settings)
    colour = np.rint(crop.mean((0, 1))).astype(np.uint8)
    pasting.blend(made, np.broadcast_to(colour, crop.shape), square, feather=self._feather, shape="ellipse")

  def _cropped(self, faces):
    """(crops [N, S, S, 3], their squares [N, 3], bool [N]: framed by landmarks) of (picture, box) pairs.

    The box is the method's networks' own where landmarks are found that fit it.
    """
    crops = [cropping.crop(picture, _outward(box), self._settings) for picture, box in faces]
    images, squares = np.stack([c[0] for c in crops]), np.stack([c[2] for c in crops])
    fits = np.zeros(len(faces), bool)
    if self._find is None:
      return images, squares, fits
    points = _in_frame(_checked(self._find(images), images), images, squares)
    for i, ((picture, box), found) in enumerate(zip(faces, framing.box_of(points), strict=True)):
      if framing.agree(found, box):
        images[i], _, squares[i] = cropping.crop(picture, _outward(found), self._settings)
        fits[i] = True
    return images, squares, fits

  def _placed(self, images, squares, tracks, fits):
    """The landmarks [N, 68, 2] that the method is told, pixels of the crops; None where it is told none."""
    if self._landmarks is not None:
      return _checked(self._landmarks(images), images)
    if self._find is None:
      return None
    points = _in_frame(_checked(self._find(images), images), images, squares)
    for i, (track, fit) in enumerate(zip(tracks, fits, strict=True)):
      if fit:
        points[i] = self._smoother(track, points[i])
      else:
        self._smoother.forget(track)
    return ((points - squares[:, None, :2]) * (images.shape[1] / squares[:, None, 2:])).astype(np.float32)

  def _covers(self, region):
    """Whether a region of a crop hides the face that was found in it: its middle, and a third of its box."""
    side = len(region)
    edge = round(side * self._settings.margin / (1 + 2 * self._settings.margin))
    inner, third = region[edge : side - edge, edge : side - edge], side // 3
    middle = region[third + side // 12 : side - third - side // 12, third + side // 12 : side - third - side // 12]
    return bool(inner.mean() >= _COVERED and middle.all())


def _faces(pictures, boxes, tracks):
  """(number of the picture, track, box) of every face."""
  if not len(pictures) == len(boxes) == len(tracks):
    raise InputError(f"{len(pictures)} pictures, but boxes of {len(boxes)}; give those of each")
  return [
    (which, number, np.asarray(box))
    for which, (of_picture, numbers) in enumerate(zip(boxes, tracks, strict=True))
    for box, number in zip(of_picture, numbers, strict=True)
  ]


def _checked(points, image):
  """The landmarks of crops; raises ValueError for what none can be: their network is damaged."""
  points, side = np.asarray(points), image.shape[1]
  if points.shape != (len(image), 68, 2):
    raise InputError(f"the landmarker answers with {list(points.shape)} for {len(image)} crops; expected [N, 68, 2]")
  if not (np.isfinite(points).all() and (np.abs(points) <= _FAR * side).all()):
    raise InputError(
      f"the landmarker answers with numbers that are not finite, or far outside of its crop of {side} pixels; its "
      "network is damaged"
    )
  return points


def _in_frame(points, images, squares):
  """Landmarks [N, 68, 2] of crops in pixels of their frames."""
  return points * (squares[:, None, 2:] / images.shape[1]) + squares[:, None, :2]


def _key(seed):
  if seed is not None:
    return jax.random.key(seed)
  return jax.random.wrap_key_data(np.frombuffer(secrets.token_bytes(8), np.uint32))


def _outward(box):
  """The smallest box on whole pixels around `box`."""
  low, high = np.floor(box[:2]), np.ceil(np.asarray(box[:2]) + box[2:])
  return np.concatenate([low, np.maximum(high - low, 1)])
