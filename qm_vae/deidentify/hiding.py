"""Faces of pictures hidden: cropped, protected together, and pasted back with a soft edge."""

import copy
import hashlib
import secrets
from collections.abc import Callable, Sequence

import jax
import numpy as np

from qm_vae.deidentify import methods, protector
from qm_vae.faces import cropping, framing, pasting

_COVERED = 1 / 3  # of the found box; a face from brow to chin takes about half of it
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
    self._protector, self._key = protector.Protector(method), _key(seed)
    if "landmarks" in method.needs and landmarker is None:
      raise ValueError(
        f"{method.description['name']} needs landmarks; name the network that finds them: --landmarks=FOLDER "
        "(python -m qm_vae.convert faceapi-landmarks writes one, configs/landmarks.py trains one)"
      )
    self._frame = None
    if method.landmarker:
      from qm_vae import landmarkers  # Flax, which no other method needs

      self._frame = landmarkers.on_host(method.landmarker, TOGETHER)
    self._landmarks = landmarker if "landmarks" in method.needs else lambda image: None
    self.description = {"margin": self._settings.margin - feather, "feather": feather, "shape": shape, "seed": seed}

  def of(self, shown: bytes) -> "Hider":
    """The same with noise of its own for one picture or video, distinguished from all others by `shown`."""
    own = copy.copy(self)
    for word in np.frombuffer(hashlib.sha256(shown).digest(), np.uint32)[:4]:
      own._key = jax.random.fold_in(own._key, word)
    return own

  def __call__(
    self, pictures: Sequence[np.ndarray], boxes: Sequence[Sequence[np.ndarray]], tracks: Sequence[Sequence[int]]
  ) -> list[np.ndarray | None]:
    """The pictures with the faces in `boxes` hidden; the faces of all pictures go through the method together.

    Args:
      pictures: uint8 [H, W, 3] RGB each; they are not changed.
      boxes: for each picture its faces' boxes [4]: x, y, width, height, pixels.
      tracks: for each picture its faces' numbers; a number stands for one appearance.

    Returns:
      uint8 [H, W, 3] each; None for a picture of which a face could not be hidden.
    """
    found = [
      (which, number, np.asarray(box))
      for which, (of_picture, numbers) in enumerate(zip(boxes, tracks, strict=True))
      for box, number in zip(of_picture, numbers, strict=True)
    ]
    if len(boxes) != len(pictures):
      raise ValueError(f"{len(pictures)} pictures, but boxes of {len(boxes)}; give those of each")
    made = [picture.copy() for picture in pictures]
    if not found:
      return made
    crops = []
    framed = self._framed([pictures[which] for which, *_ in found], [box for *_, box in found])
    for (which, number, _), box in zip(found, framed, strict=True):
      image, _, square = cropping.crop(pictures[which], _outward(box), self._settings)
      crops.append((which, number, image, square, cropping.find_eyes(image, self._settings)))
    # The smallest last: within a larger crop a face would be shown by what the method makes of the whole of that.
    crops.sort(key=lambda crop: -crop[3][2])
    image, eyes = np.stack([c[2] for c in crops]), np.stack([c[4] for c in crops])
    large = np.array([c[3][2] >= self._smallest for c in crops])
    hidden, fine = np.zeros_like(image), np.ones(len(crops), bool)
    hidden[large], fine[large] = self._protector(
      image[large],
      eyes[large],
      _checked(self._landmarks(image[large]), image[large]),
      np.array([c[1] for c in crops])[large],
      self._key,
    )
    for (which, _, crop, square, _), face, good, by_method in zip(crops, hidden, fine, large, strict=True):
      if not good:
        made[which] = None
      elif made[which] is not None:
        if self._keeps_context and by_method:
          region = pasting.changed_region(crop, face)
          if self._covers(region):
            pasting.blend_region(made[which], face, square, region)
            continue
          # The method found no face where the detector found one: hide all of it.
          face = np.broadcast_to(np.rint(crop.mean((0, 1))).astype(np.uint8), face.shape)
        pasting.blend(made[which], face, square, feather=self._feather, shape=self._shape)
    return made

  def _framed(self, pictures, boxes):
    """The boxes as the method's networks know faces: by the landmarks, where there are some that fit the box.

    All faces go through the network together: one by one, each would fill a batch of its own.
    """
    if self._frame is None:
      return boxes
    looked = [
      cropping.crop(picture, _outward(box), self._settings) for picture, box in zip(pictures, boxes, strict=True)
    ]
    images = np.stack([image for image, *_ in looked])
    framed = []
    for points, (image, _, (x, y, side)), box in zip(_checked(self._frame(images), images), looked, boxes, strict=True):
      found = framing.box_of(points * (side / len(image)) + (x, y))
      framed.append(found if framing.agree(found, box) else box)
    return framed

  def _covers(self, region):
    """Whether a region of a crop hides the face that was found in it: its middle, and a third of its box."""
    side = len(region)
    edge = round(side * self._settings.margin / (1 + 2 * self._settings.margin))
    inner, third = region[edge : side - edge, edge : side - edge], side // 3
    middle = region[third + side // 12 : side - third - side // 12, third + side // 12 : side - third - side // 12]
    return bool(inner.mean() >= _COVERED and middle.all())


def _checked(points, image):
  """The landmarks of crops; raises ValueError for what none can be: their network is damaged."""
  if points is None:
    return None
  points, side = np.asarray(points), image.shape[1]
  if points.shape != (len(image), 68, 2):
    raise ValueError(f"the landmarker answers with {list(points.shape)} for {len(image)} crops; expected [N, 68, 2]")
  if not (np.isfinite(points).all() and (np.abs(points) <= _FAR * side).all()):
    raise ValueError(
      f"the landmarker answers with numbers that are not finite, or far outside of its crop of {side} pixels; its "
      "network is damaged"
    )
  return points


def _key(seed):
  if seed is not None:
    return jax.random.key(seed)
  return jax.random.wrap_key_data(np.frombuffer(secrets.token_bytes(8), np.uint32))


def _outward(box):
  """The smallest box on whole pixels around `box`."""
  low, high = np.floor(box[:2]), np.ceil(np.asarray(box[:2]) + box[2:])
  return np.concatenate([low, np.maximum(high - low, 1)])
