"""How many of the faces that a detector finds in a video were hidden; python -m qm_vae.deidentify.coverage says it."""

import os
import pathlib

import numpy as np

from qm_vae import types
from qm_vae.deidentify import job, pictures
from qm_vae.deidentify.video import Frame, reader
from qm_vae.errors import InputError
from qm_vae.faces import cropping, pasting
from qm_vae.io import progress

COVERED = 0.9
"""Share of a found box's area that must be fully hidden."""


def measure(
  original: str | os.PathLike, record: dict, detector: types.Detector, *, every: int = 1, show: bool = True
) -> dict:
  """Compares the faces found in a video with the areas that its sidecar says were hidden.

  Args:
    original: the video.
    record: content of its OUT.json.
    detector: who looks.
    every: looks at every so many frames.
    show: a progress bar.

  Returns:
    {"frames", "faces", "hidden": how many of these, "found_only": how many there would have been without the boxes that
    tracking filled or held, "missed": [{"time", "box"}], "detector"}. No interval: frames repeat the same faces.

  Raises:
    ValueError: for a sidecar of something else than this video.
    VideoError: for a video that cannot be read.
  """
  rows = record.get("frames") if isinstance(record, dict) else None
  if rows is None:
    raise InputError("the sidecar lists no frames; give the OUT.json of one video, not of pictures")
  if record["source"].get("sha256") != job.sha256(original):
    raise InputError(f"the sidecar is of another file than {original}; give the video that was protected")
  finding = record["finding"]
  source = reader.Reader(str(original), start=finding["start"], end=finding.get("end"))
  summary = {"frames": 0, "faces": 0, "hidden": 0, "found_only": 0, "missed": [], "detector": detector.description}
  try:
    with progress.bar(len(rows), pathlib.Path(original).name, "frame", shown=show) as bar:
      for frame in source:
        if not isinstance(frame, Frame):
          continue
        bar.update()
        if frame.number % every:
          continue
        if frame.number >= len(rows):
          raise InputError(f"the sidecar ends after {len(rows)} frames, before the video does; protect it again")
        summary["frames"] += 1
        picture, row = frame.pixels(), rows[frame.number]
        boxes = _strong(detector, picture)
        areas = [
          _area(picture, row, record["method"], how) for how in (("found", "filled", "held", "added"), ("found",))
        ]
        for box in boxes:
          whole, alone = (_share(area, box) >= COVERED for area in areas)
          summary["faces"] += 1
          summary["hidden"] += whole
          summary["found_only"] += alone
          if not whole:
            summary["missed"].append({"time": round(frame.time, 3), "box": [round(float(value), 1) for value in box]})
  finally:
    source.close()
  return summary


def measure_picture(picture: np.ndarray, row: dict, method: dict, detector: types.Detector) -> dict:
  """Compares the faces found in one picture with the areas that its record says were hidden.

  Args:
    picture: uint8 [H, W, 3], the original.
    row: what OUT.json says of it: "faces", "notes".
    method: how it was hidden, as in OUT.json.
    detector: who looks.

  Returns:
    {"faces", "hidden": how many of these, "found_only": how many without what a person drew, "missed": their boxes}.
  """
  areas = [_area(picture, row, method, how) for how in (("found", "added"), ("found",))]
  boxes = _strong(detector, picture)
  hidden, found_only = ([_share(area, box) >= COVERED for box in boxes] for area in areas)
  missed = [[round(float(value), 1) for value in box] for box, whole in zip(boxes, hidden, strict=True) if not whole]
  return {"faces": len(boxes), "hidden": sum(hidden), "found_only": sum(found_only), "missed": missed}


def _strong(detector, picture):
  seen = detector.find(picture)
  return seen.boxes[seen.scores >= detector.strong]


def _area(picture, row, method, how):
  """bool [H, W]: what of the frame is fully hidden by the faces that came about in one of the ways of `how`."""
  if row.get("blanked") or any(note.startswith(pictures.BLANKED) for note in row.get("notes", ())):
    return np.ones(picture.shape[:2], bool)
  margin = method["margin"] + method["feather"]
  painted = np.zeros_like(picture)
  white = np.full((2, 2, 3), 255, np.uint8)
  for face in row["faces"]:
    if face["hidden"] and face.get("how", "found") in how:  # a picture's faces have none but where they were drawn
      square = cropping.crop(picture, np.array(face["box"]), cropping.Settings(margin=margin, image_size=32))[2]
      feather = method["feather"] / (1 + 2 * margin)
      pasting.blend(painted, white, square, feather=feather, shape=method["shape"])
  return painted[..., 0] == 255


def _share(area, box):
  low = np.maximum(np.rint(box[:2]), 0).astype(int)
  high = np.rint(np.asarray(box[:2]) + box[2:]).astype(int)
  inside = area[low[1] : high[1], low[0] : high[0]]
  return float(inside.mean()) if inside.size else 1.0
