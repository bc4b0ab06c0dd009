"""Still pictures: found, hidden, written."""

import pathlib
from typing import NamedTuple

import numpy as np

from qm_vae.deidentify import scores
from qm_vae.deidentify.hiding import Hider
from qm_vae.deidentify.reviewed import ByTrack, Reviewed
from qm_vae.deidentify.selection import Selection
from qm_vae.deidentify.video.aside import Aside, naming
from qm_vae.errors import InputError
from qm_vae.faces.detectors import tiles
from qm_vae.io import icc, image_contents, images
from qm_vae.types import Detector

WRITTEN = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif")
"""Suffixes of the pictures that are written; an animated .gif is a video."""

BLANKED = "blanked: "
"""What the note of a picture begins with that is black as a whole."""

UNCHANGED = "no face was found: it is UNCHANGED"
"""Failure of such a picture where `--on-miss=fail`."""


class Done(NamedTuple):
  """What became of a picture."""

  image: np.ndarray  # uint8 [H, W, 3], protected
  faces: list[dict]  # box, score, hidden
  notes: list[str]
  smallest: float | None = None  # pixels: longer side of the smallest face that could be found; None: nobody knows

  @property
  def hidden(self) -> int:
    """Faces that were hidden."""
    return sum(face["hidden"] for face in self.faces)


class NoFace(InputError, RuntimeError):
  """A picture in which no face was found, and `--on-miss=stop`."""


def protect(
  image: np.ndarray,
  detector: Detector,
  hider: Hider | ByTrack,
  selection: Selection | Reviewed,
  on_miss: str = "hold",
) -> Done:
  """One picture with its faces hidden.

  Args:
    image: uint8 [H, W, 3] RGB.
    detector: finds faces; all that are at least weakly found are hidden, since no other frame tells more.
    hider: hides them.
    selection: faces that are left alone.
    on_miss: where no face is found: 'hold' and 'fail' leave the picture as it is, 'mask' blanks it, 'stop' refuses it.

  Raises:
    NoFace: see `on_miss`.
    ValueError: where a face could not be hidden.
  """
  found, drawn = detector.find(image), selection.added(0)
  smallest = tiles.smallest(detector.description, (image.shape[1], image.shape[0]))
  smallest = None if smallest is None else round(smallest, 1)
  chosen = [selection.hides(box, 0, i + 1) for i, box in enumerate(found.boxes)]
  found_faces = [
    {"box": [round(float(v), 1) for v in box], "score": round(float(score), 3), "hidden": bool(hidden)}
    for box, score, hidden in zip(found.boxes, found.scores, chosen, strict=True)
  ]
  found_faces += [
    {"box": [round(float(v), 1) for v in place.box], "score": 1.0, "hidden": True, "how": place.how} for place in drawn
  ]
  if not found_faces and on_miss == "stop":
    raise NoFace("no face was found, and --on-miss=stop refuses what cannot be judged")
  if not found_faces and on_miss == "mask":
    return Done(np.zeros_like(image), [], [BLANKED + _nothing(smallest)], smallest)
  numbers = [i for i, hidden in enumerate(chosen) if hidden]
  boxes = [*(found.boxes[i] for i in numbers), *(place.box for place in drawn)]
  tracks = [*(i + 1 for i in numbers), *(place.track for place in drawn)]
  (made,) = hider.of(image.tobytes())([image], [boxes], [tracks])
  if made is None:
    raise InputError("a face could not be hidden: the method gave no finite picture")
  return Done(made, found_faces, [] if len(found.boxes) else [_nothing(smallest)], smallest)


def _nothing(smallest):
  """The note of a picture without a face."""
  return "no face was found" + (f"; smaller ones than {smallest:g} pixels could not be" if smallest else "")


def protect_file(
  source: pathlib.Path,
  target: pathlib.Path,
  detector: Detector,
  hider: Hider | ByTrack,
  selection: Selection | Reviewed,
  *,
  on_miss: str = "hold",
  keep_metadata: bool = False,
  draw_scores: bool = False,
) -> Done:
  """One picture file; the protected one has a profile of the same colours, and no other word of the original's.

  The notes tell what it loses, such as transparency, further pages and 16 bits.

  Raises:
    types.UnreadableImage, NoFace, ValueError, OSError: naming what failed; nothing is written then.
  """
  if target.suffix.lower() not in WRITTEN:
    raise InputError(f"no picture format has the suffix {target.suffix!r}; choose one of {' '.join(WRITTEN)}")
  done = protect(images.read_image(source), detector, hider, selection, on_miss)
  if draw_scores:
    scores.draw(done.image, [np.array(face["box"]) for face in done.faces], [face["score"] for face in done.faces])
  contents = image_contents.read(source)
  if contents.convert:
    done = done._replace(image=icc.to_srgb(done.image, contents.convert))
  aside = Aside(target)
  try:
    with naming(target):
      images.write_image(
        aside.path, done.image, form=target.suffix, profile=contents.profile, like=source, words=keep_metadata
      )
    aside.publish()
  except BaseException:
    aside.drop()
    raise
  return done._replace(notes=done.notes + contents.notes)
