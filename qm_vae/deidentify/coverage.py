r"""Counts how many of the faces that a detector finds in the original video were hidden.

  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --detector=centerface
  python -m qm_vae.deidentify.coverage street.mp4 safe.mp4.json --protected=safe.mp4    # and how much the faces flicker

Use a stronger detector than the one that hid the faces: a face that neither finds is not counted. Its false
detections count as faces that were not hidden.
"""

import argparse
import json
import pathlib
import sys

from qm_vae.arguments import Parser
from qm_vae.io import reading, records

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
  from qm_vae.deidentify import covered, restlessness  # --help does not wait for them
  from qm_vae.deidentify.video import VideoError
  from qm_vae.faces import detectors

  try:
    record = reading.read_json(given.sidecar)
    detector = detectors.open_detector(given.detector, threshold=given.thresh, max_side=given.scale)
    summary = covered.measure(given.original, record, detector, every=given.every)
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


if __name__ == "__main__":
  sys.exit(main())
