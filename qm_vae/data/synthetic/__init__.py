"""`synthetic`, the embedded default: faces drawn by the project, of people who do not exist."""

import functools
import hashlib
from typing import Annotated

import cv2
import numpy as np

from qm_vae.data.synthetic import face_drawing, face_landmarks, face_sampling
from qm_vae.options import Option, integer, member
from qm_vae.types import EXPRESSIONS, Record

VERSION = 1
"""Of the drawings: raise it with every change of what is drawn, so that caches of other drawings are not used."""

_PERSON, _IMAGE, _LABELS, _SITTING = 0, 1, 2, 3  # keep the generators of different purposes apart


class Synthetic:
  """Random-access source of drawn faces (see `types.Source`); make one with `make`."""

  classes = EXPRESSIONS

  def __init__(self, num_people, images_per_person, frame_size, seed, first_person, images_per_sitting):
    self._shape = (num_people, images_per_person)
    self._per_sitting = images_per_sitting
    self.session = np.tile(np.arange(images_per_person, dtype=np.int32) // images_per_sitting, num_people)
    self._frame_size, self._seed, self._first = frame_size, seed, first_person
    self.identities = tuple(f"person-{first_person + p:05d}" for p in range(num_people))
    sittings = (images_per_sitting,) if images_per_sitting > 1 else ()
    settings = repr((VERSION, self._shape, frame_size, seed, first_person, *sittings))
    self.fingerprint = f"synthetic-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"

  def __len__(self):
    return self._shape[0] * self._shape[1]

  def factors(self, index):
    """(Person, ActionUnits, Nuisance, label) of record `index`; raises IndexError outside [0, len)."""
    if not 0 <= index < len(self):
      raise IndexError(f"record {index} of {len(self)}")
    offset, image = divmod(int(index), self._shape[1])
    person = self._first + offset
    label = self._label(person * self._shape[1] + image)
    expression, nuisance = _rng(self._seed, _IMAGE, person, image).spawn(2)
    own = face_sampling.sample_nuisance(nuisance)
    if self._per_sitting > 1:
      sitting = _rng(self._seed, _SITTING, person, image // self._per_sitting)
      own = face_sampling.in_sitting(own, face_sampling.sample_nuisance(sitting))
    return _person(self._seed, person), face_sampling.sample_action_units(expression, label), own, label

  def landmarks(self, index):
    """Where the face of record `index` truly is, see `face_drawing.landmarks`."""
    person, _, nuisance, _ = self.factors(index)
    return face_drawing.landmarks(person, nuisance, self._frame_size)

  def landmarks_68(self, index):
    """float32 [68, 2], pixels of the frame of record `index`; see `face_landmarks.landmarks`."""
    person, action, nuisance, _ = self.factors(index)
    return face_landmarks.landmarks(person, action, nuisance, self._frame_size)

  def __getitem__(self, index):
    person, action, nuisance, label = self.factors(index)
    offset, image = divmod(int(index), self._shape[1])
    picture = face_drawing.draw(person, action, nuisance, self._frame_size)
    return Record(
      image=self._photograph(picture, nuisance, self._first + offset, image),
      name=f"{self.identities[offset]}/{image:03d}",
      identity=offset,
      label=label,
    )

  def _photograph(self, picture, nuisance, person, image):
    picture = cv2.merge(picture)
    sigma = nuisance.blur * self._frame_size
    if sigma > 0.2:  # narrower kernels are the identity
      picture = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    noise = _rng(self._seed, _IMAGE, person, image, self._frame_size).standard_normal(picture.shape[:2], np.float32)
    picture = picture * np.float32(255) + (np.float32(0.5) + np.float32(255 * nuisance.noise) * noise)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)

  def _label(self, record):
    """Every block of seven records holds every expression once, in an order of its own."""
    block, place = divmod(record, len(EXPRESSIONS))
    return int(_rng(self._seed, _LABELS, block).permutation(len(EXPRESSIONS))[place])


def _rng(seed, *key):
  return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


@functools.lru_cache(maxsize=1024)
def _person(seed, number):
  return face_sampling.sample_person(_rng(seed, _PERSON, number))


@member(labelled=True, terms="drawn by this software; nobody is real, and no terms but the software's hold")
def make(
  *,
  num_people: Annotated[int, Option(integer(1, 10**6))] = 500,
  images_per_person: Annotated[int, Option(integer(1, 10**6))] = 2,
  frame_size: Annotated[int, Option(integer(32, 512), "pixels")] = 96,
  seed: Annotated[int, Option(integer(0, 2**63))] = 0,
  first_person: Annotated[int, Option(integer(0, 10**9), "ranges that do not overlap hold different people")] = 0,
  images_per_sitting: Annotated[
    int, Option(integer(1, 10**6), "of one person, in a row, that share light, background and camera")
  ] = 1,
) -> Synthetic:
  """A source of drawn faces, balanced over the seven expressions.

  Record i shows person `first_person + i // images_per_person`. A person depends on (seed, number) alone, so sources
  over disjoint ranges of numbers show disjoint people. Records are drawn when asked for, each by itself.

  Args:
    num_people: people, at least 1.
    images_per_person: images of each, at least 1.
    frame_size: side of the square frame in pixels, 32 to 512.
    seed: non-negative integer; another seed draws other people.
    first_person: number of the first person, at least 0.
    images_per_sitting: of one person, in a row, that share light, background and camera; `session` numbers a person's
      sittings.

  Returns:
    A `types.Source` with uint8 RGB images [frame_size, frame_size, 3].

  Raises:
    ValueError: for a value outside its range.
  """
  return Synthetic(num_people, images_per_person, frame_size, seed, first_person, images_per_sitting)
