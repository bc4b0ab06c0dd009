"""The command line of the audit: every option, what it may hold, and how it is read."""

import argparse
import pathlib

from qm_vae.arguments import Parser
from qm_vae.audit import people
from qm_vae.faces.detectors import STRONGEST
from qm_vae.privacy import protocol
from qm_vae.privacy.attackers import ATTACKERS

OK, NOT_JUDGED, VOID, REFUSED = range(4)
"""Exit statuses; argparse's own, 2, has another meaning."""


def parser(description: str, wrong: int) -> Parser:
  """The command line.

  Args:
    description: of the program, for --help.
    wrong: exit status for a line that cannot be read; argparse's own, 2, has another meaning here.
  """
  made = Parser(
    prog="python -m qm_vae.audit", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  made.wrong = wrong
  add = made.add_argument
  add("originals", type=_path, help="folder of pictures, or a text file that lists them")
  add("protected", type=_path, help="the tool's output: a folder, or a list in the same order")
  add(
    "--embedder",
    type=_path,
    action="append",
    required=True,
    metavar="PATH",
    help="face recogniser; repeatable",
  )
  add("--labels", type=_path, metavar="CSV", help="identities (default: the folder of each picture)")
  add("--image-column", default="image", metavar="NAME", help="column of the CSV (default: %(default)s)")
  add("--identity-column", default="identity", metavar="NAME", help="column of the CSV (default: %(default)s)")
  add(
    "--session-column", default=people.SESSION, metavar="NAME", help="optional column of the CSV (default: %(default)s)"
  )
  add(
    "--out", type=_path, default=pathlib.Path("audit"), metavar="FOLDER", help="folder to write (default: %(default)s)"
  )
  add("--max-rank1", type=_share, metavar="RATE", help="exit with 3 if the upper end of rank 1 is above it, 0 to 1")
  add(
    "--max-missed",
    type=_share,
    default=0.1,
    metavar="SHARE",
    help="exit with 1 if no face is found in more originals (default: %(default)s)",
  )
  add(
    "--people",
    type=_at_least(protocol.MIN_PEOPLE),
    default=500,
    help="attack at most so many people (default: %(default)s)",
  )
  add("--probes", type=_at_least(1), default=1, help="protected pictures per person, at most (default: %(default)s)")
  add(
    "--crowds",
    type=_crowds,
    default=protocol.GALLERY_SIZES,
    metavar="N,N",
    help="gallery sizes, in people (default: 100,500)",
  )
  add(
    "--attackers",
    type=_attackers,
    default=ATTACKERS.names(),
    metavar="A,B",
    help=f"of {', '.join(ATTACKERS.names())} (default: all that the pictures allow)",
  )
  add(
    "--landmarks",
    type=_path,
    metavar="FOLDER",
    help="landmark network (qm_vae.convert faceapi-landmarks): also measures geometry, pose and realism",
  )
  add(
    "--face-detector",
    default=STRONGEST,
    metavar="NAME",
    help="detector to search the protected pictures, a name or ONNX file; '': none (default: %(default)s)",
  )
  add("--effort", type=_positive, default=1.0, help="multiplies the attackers' training time (default: %(default)s)")
  add(
    "--size", type=_size, default=112, help="side of the face crops in pixels, a multiple of 16 (default: %(default)s)"
  )
  add(
    "--detector",
    choices=("haar", "none"),
    default="haar",
    help="none: every picture is a face, cut to its largest centred square (default: %(default)s)",
  )
  add(
    "--seed",
    type=_at_least(0),
    default=0,
    help="seed of the choice of people and of all training (default: %(default)s)",
  )
  add("--no-pictures", dest="pictures", action="store_false", help="no faces in the report")
  return made


def _path(text):
  return pathlib.Path(text).expanduser()


def _number(text, kind, holds, allowed):
  try:
    value = kind(text)
  except ValueError:
    value = None
  if value is None or not holds(value):
    raise argparse.ArgumentTypeError(f"{text!r} is not {allowed}")
  return value


def _at_least(low):
  return lambda text: _number(text, int, lambda value: value >= low, f"an integer of at least {low}")


def _share(text):
  return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _positive(text):
  return _number(text, float, lambda value: 0 < value < float("inf"), "a number above 0")


def _size(text):
  return _number(text, int, lambda value: value >= 32 and value % 16 == 0, "a multiple of 16 from 32 upward")


def _crowds(text):
  return tuple(_at_least(2)(part) for part in text.split(","))


def _attackers(text):
  names = tuple(text.split(","))
  unknown = [name for name in names if name not in ATTACKERS.names()]
  if unknown:
    raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; allowed are {', '.join(ATTACKERS.names())}")
  return tuple(dict.fromkeys(names))
