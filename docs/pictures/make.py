"""Draws the picture of the README: drawn people as they are, through the paper's views, and with another face.

python docs/pictures/make.py            # writes docs/pictures/faces.png, in about a minute
Nobody in it is real: the faces are the project's own drawings (docs/synthetic.md).
"""

import pathlib
import sys

import cv2
import numpy as np

from qm_vae import deidentifiers
from qm_vae.data import DATASETS
from qm_vae.faces import cropping, source_crops

HERE = pathlib.Path(__file__).parent
PEOPLE, GALLERY, SIDE, SCALE = 6, 120, 96, 1
METHODS = {
  "original": None,
  "blindfold": {},
  "mosaic": {},
  "laplace": {"scale": 8.0},
  "cartoon": {},
  "warped mean": {},
}


def faces(first: int, count: int):
  """Crops of drawn people and their eyes, those in which the cascade finds a face."""
  source = DATASETS["synthetic"](num_people=count, images_per_person=1, frame_size=192, first_person=first)
  return source_crops.crop_source(source, cropping.Settings(image_size=SIDE), show=False)


def sheet() -> np.ndarray:
  """uint8 [H, W, 3] RGB: a row for each method, a column for each person."""
  people, gallery = faces(0, PEOPLE + 4), faces(50_000, GALLERY)
  rows = []
  for name, options in METHODS.items():
    image = people.image[:PEOPLE]
    if options is not None:
      factory = getattr(deidentifiers, name.replace(" ", "_"))
      given = {"gallery": gallery.image, "eyes": gallery.eyes} if name == "warped mean" else {}
      image = factory(**options, **given)(image, eyes=people.eyes[:PEOPLE])
    rows.append(_labelled(name, np.hstack(list(image))))
  return np.vstack(rows)


def _labelled(name, row):
  label = np.full((row.shape[0], 118, 3), 255, np.uint8)
  place = (6, row.shape[0] // 2 + 5)
  cv2.putText(label, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
  return np.hstack([label, row])


if __name__ == "__main__":
  target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "faces.png"
  cv2.imwrite(str(target), sheet()[..., ::-1])
  print(target)
