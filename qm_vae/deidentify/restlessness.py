"""How much the faces of a protected video flicker, track by track, against the original's own movement."""

import os

import numpy as np

from qm_vae.deidentify.video import Frame, reader
from qm_vae.errors import InputError
from qm_vae.faces import cropping
from qm_vae.metrics import flicker

SIDE = 64
"""Pixels to which faces are brought, so that near and far ones count alike."""

INSIDE = 0.8
"""Diameter of the disc that is compared, share of the found box: the face's inside, not the edge of what was hidden."""

FEWEST = 10
"""Successive frames that a track needs."""

LONGEST = 2000
"""Frames of one stretch that are compared."""


def measure(original: str | os.PathLike, protected: str | os.PathLike, record: dict) -> list[dict]:
  """The flicker of every long enough stretch of frames in which one track was hidden.

  Faces are aligned by the recorded boxes, in both videos by the same ones; what a box trembles counts in both.

  Args:
    original: the video before.
    protected: what was made of it, of the same size and with the same frames.
    record: content of its OUT.json.

  Returns:
    [{"track", "first": number of its first frame, and metrics.flicker.flicker}] by track; NaN as None.

  Raises:
    ValueError: where the videos differ in size or number of frames.
    VideoError: for a video that cannot be read.
  """
  before, after = (_frames(path, record, cut) for path, cut in ((original, True), (protected, False)))
  stretches, running = [], {}
  for row in record["frames"]:
    pair = next(before, None), next(after, None)
    if pair[0] is None or pair[1] is None or pair[0].shape != pair[1].shape:
      sizes = " and ".join("no frame" if one is None else "{1} x {0} pixels".format(*one.shape) for one in pair)
      raise InputError(
        f"frame {row['frame']}: {original} and {protected} have {sizes}; give the two videos of one call"
      )
    hidden = {} if row.get("blanked") else {face["track"]: face["box"] for face in row["faces"] if face["hidden"]}
    for track in [one for one in running if one not in hidden or len(running[one]["crops"]) >= LONGEST]:
      stretches.append(running.pop(track))
    for track, box in hidden.items():
      stretch = running.setdefault(track, {"track": track, "first": row["frame"], "crops": []})
      stretch["crops"].append([_crop(image, box) for image in pair])
  stretches += running.values()
  found = [_flicker(one) for one in stretches if len(one["crops"]) >= FEWEST]
  return sorted(found, key=lambda one: (one["track"], one["first"]))


def _frames(path, record, cut):
  finding = record["finding"] if cut else {"start": 0.0, "end": None}
  source = reader.Reader(str(path), start=finding["start"], end=finding.get("end"))
  try:
    for frame in source:
      if isinstance(frame, Frame):
        yield frame.pixels()
  finally:
    source.close()


def _crop(image, box):
  return cropping.crop(image, np.array(box), cropping.Settings(margin=0.0, image_size=SIDE))[0]


def _flicker(stretch):
  before, after = (np.stack(side) for side in zip(*stretch["crops"], strict=True))
  centre = (np.arange(SIDE) + 0.5) / SIDE - 0.5
  disc = np.hypot(centre, centre[:, None]) <= INSIDE / 2
  found = flicker.flicker(before, after, disc)
  known = {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in found.items()}
  return {"track": stretch["track"], "first": stretch["first"]} | known
