r"""How many of the faces that a detector finds in the original video were hidden.

  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --detector=centerface
  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --protected=safe.mp4    # and how much the faces flicker

Give a stronger detector than the one that hid the faces: what neither finds is counted by nobody. What it finds by
mistake counts as a face that was not hidden.
"""

import argparse
import json
import os
import pathlib
import sys

import numpy as np

from qm_vae import types
from qm_vae.arguments import Parser
from qm_vae.deidentify import job, pictures, restlessness
from qm_vae.deidentify.video import Frame, VideoError, reader
from qm_vae.faces import cropping, detectors, pasting
from qm_vae.io import progress, reading, records

COVERED = 0.9
"""Share of a found box's area that must be fully hidden."""

_LISTED = 20


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
    raise ValueError("the sidecar lists no frames; give the OUT.json of one video, not of pictures")
  if record["source"].get("sha256") != job.sha256(original):
    raise ValueError(f"the sidecar is of another file than {original}; give the video that was protected")
  finding = record["finding"]
  source = reader.Reader(str(original), start=finding["start"], end=finding["end"])
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
          raise ValueError(f"the sidecar ends after {len(rows)} frames, before the video does; protect it again")
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


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status: 0, or 2 for what cannot be measured."""
  parser = Parser(
    prog="python -m qm_vae.deidentify.coverage",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("original", help="the video before")
  parser.add_argument("sidecar", help="OUT.json of python -m qm_vae.deidentify")
  parser.add_argument("--detector", default="centerface", help="as of qm_vae.deidentify (default %(default)s)")
  parser.add_argument("--thresh", type=float, help="score from which a face counts (default: the detector's own)")
  parser.add_argument("--scale", type=int, help="longest side of the frame that is searched, pixels")
  parser.add_argument("--every", type=int, default=1, help="look at every N-th frame (default %(default)s)")
  parser.add_argument("--protected", help="the video after; its faces' flicker is measured against the original's")
  parser.add_argument("--json", help="also write the figures to this file")
  given = parser.parse_args(arguments)
  if given.every < 1:
    parser.error(f"--every={given.every}; it must be at least 1")
  try:
    record = reading.read_json(given.sidecar)
    detector = detectors.open_detector(given.detector, threshold=given.thresh, max_side=given.scale)
    summary = measure(given.original, record, detector, every=given.every)
    if given.protected:
      summary["flicker"] = restlessness.measure(given.original, given.protected, record)
  except (ValueError, OSError, KeyError, VideoError, ImportError) as error:
    print(f"error: {given.sidecar}: {error}", file=sys.stderr)
    return 2
  if given.json:
    records.write_text(pathlib.Path(given.json), json.dumps(summary, indent=1) + "\n")
  print(
    f"{summary['detector']['name']} finds {summary['faces']} faces in {summary['frames']} frames; "
    f"{summary['hidden']} of them were "
    f"hidden, {summary['found_only']} by the boxes that were found alone"
  )
  for one in summary["missed"][:_LISTED]:
    print(f"not hidden at {one['time']:.2f} s: box {one['box']}")
  if len(summary["missed"]) > _LISTED:
    print(f"and {len(summary['missed']) - _LISTED} more")
  for one in summary.get("flicker", ()):
    ratio = "nothing moves" if one["value"] is None else f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
    print(f"flicker of track {one['track']} from frame {one['first']}: {ratio}, n = {one['n']}; 1 is as calm as before")
  return 0


if __name__ == "__main__":
  sys.exit(main())
