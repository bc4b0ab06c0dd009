r"""Counts how many of the faces that a detector finds in the original video were hidden.

  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --detector=centerface
  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --protected=safe.mp4    # and how much the faces flicker

Use a stronger detector than the one that hid the faces: a face that neither finds is not counted. Its false
detections count as faces that were not hidden.
"""

import argparse
import json
import os
import pathlib
import sys

from qm_vae.arguments import Parser
from qm_vae.errors import InputError
from qm_vae.io import records

_LISTED = 20


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status: 0, or 2 for what cannot be measured."""
  parser = Parser(
    prog="python -m qm_vae.deidentify.coverage",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("original", help="the original video")
  parser.add_argument("sidecar", help="OUT.json of python -m qm_vae.deidentify")
  parser.add_argument("--detector", default="centerface", help="as in qm_vae.deidentify (default %(default)s)")
  parser.add_argument("--thresh", type=float, help="score from which a face counts (default: the detector's own)")
  parser.add_argument("--scale", type=int, help="longest side of the searched frame, in pixels")
  parser.add_argument("--every", type=int, default=1, help="search every N-th frame (default %(default)s)")
  parser.add_argument(
    "--protected", help="the protected video, to measure the flicker of its faces against the original"
  )
  parser.add_argument("--json", help="also write the figures to this file")
  given = parser.parse_args(arguments)
  if given.every < 1:
    parser.error(f"--every={given.every}; it must be at least 1")
  from qm_vae.faces import detectors  # --help does not wait for it

  try:
    detector = detectors.open_detector(given.detector, threshold=given.thresh, max_side=given.scale)
    summary = measured(given.original, given.sidecar, detector, every=given.every, protected=given.protected)
  except (InputError, OSError, ImportError) as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  if given.json:
    records.write_text(pathlib.Path(given.json), json.dumps(summary, indent=1) + "\n")
  print(
    f"{summary['detector']['name']} finds {summary['faces']} faces in {summary['frames']} frames; "
    f"{summary['hidden']} of them were "
    f"hidden, {summary['found_only']} without tracking"
  )
  for one in summary["missed"][:_LISTED]:
    print(f"not hidden at {one['time']:.2f} s: box {one['box']}")
  if len(summary["missed"]) > _LISTED:
    print(f"and {len(summary['missed']) - _LISTED} more")
  for one in summary.get("flicker", ()):
    ratio = "nothing moves" if one["value"] is None else f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
    print(f"flicker of track {one['track']} from frame {one['first']}: {ratio}, n = {one['n']}; 1 is as calm as before")
  return 0


def measured(
  original: str | os.PathLike, sidecar: str | os.PathLike, detector, *, every: int = 1, protected: str | None = None
) -> dict:
  """What `covered.measure` says of a video and its OUT.json; with the protected one "flicker" as restlessness has it.

  Raises:
    InputError: naming the file, for one that is damaged, or of another video.
  """
  from qm_vae.deidentify import covered, record, restlessness, sidecar_form  # --help does not wait for them

  made = record.document(sidecar)
  sidecar_form.check_coverage(pathlib.Path(sidecar), made)
  try:
    summary = covered.measure(original, made, detector, every=every)
    if protected:
      summary["flicker"] = restlessness.measure(original, protected, made)
  except InputError as error:
    raise InputError(f"{sidecar}: {error}") from error
  return summary


if __name__ == "__main__":
  sys.exit(main())
