r"""De-identifies pictures, folders, video, cameras and streams.

  python -m qm_vae.deidentify street.mp4 safe.mp4
  python -m qm_vae.deidentify photos/ safe/ --method=mosaic --preview
  python -m qm_vae.deidentify street.mp4 safe.mp4 --method=runs/alpha04 --detector=centerface
  python -m qm_vae.deidentify rtsp://camera/stream safe.mkv --end=60
  ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | python -m qm_vae.deidentify - - --raw=640x360@25 | ffplay ...

IN is a picture, a folder (everything below it), a video, a camera's number, an rtsp:// address, or - for raw frames on
standard input; OUT a file of the same kind, a folder, or - for raw frames on standard output. Beside OUT stands OUT.json
with every face's place in every frame. A folder that was interrupted goes on where it stopped.

Methods. The default, solid, leaves nothing of a face. mosaic leaves a few colours; over many frames of a moving face
they add up, so take it for looks, not for safety. blur is no protection: a recogniser that has seen blurred faces names
them nearly as well as clear ones, and a blur can be undone. laplace, cartoon and blindfold leave most people to be
recognised too (README, Who can still be named). The folder of a finished QM-VAE run makes faces that keep an expression;
its report says who is still named.

Exit status: 0 every face that was found is hidden; 1 something failed, and each failure is listed; 2 the command is
wrong. What could not be protected is blanked or not written. A face that no detector finds is not hidden: look at the
result (--preview), and take --detector=centerface where you can, which finds turned and small faces that the default, the
paper's Haar cascade, does not.
"""

import argparse
import fractions
import pathlib
import re

from qm_vae import pasting
from qm_vae.deidentify import footage, methods
from qm_vae.detect import DETECTORS
from qm_vae.video.codecs import CODECS

_SAME_METHOD = ("solid", "mosaic", "blur")


def parser() -> argparse.ArgumentParser:
  """The command line."""
  made = argparse.ArgumentParser(
    prog="python -m qm_vae.deidentify",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = made.add_argument
  add("source", metavar="IN", help="picture, folder, video, camera number, cam (camera 0), rtsp:// address, or -")
  add("target", metavar="OUT", nargs="?", help="where to; - for raw frames on standard output")
  add("-o", "--output", metavar="OUT", help="the same as OUT")
  group = made.add_argument_group("how faces are hidden")
  add = group.add_argument
  add(
    "--method",
    "--replacewith",
    default="solid",
    metavar="NAME|RUN",
    help=f"{', '.join(methods.NAMES)}, with options as NAME:OPTION=VALUE,... (docs/deidentifiers.md), or the folder of "
    "a QM-VAE run (default: %(default)s)",
  )
  add("--margin", type=_between(0, 2), metavar="SHARE", help="of the face's side that is covered around it "
      "(default: 0.2, or as a QM-VAE was trained)")  # fmt: skip
  add("--mask-scale", type=_between(1, 3), metavar="M", help="deface's word for --margin: M - 1")
  add("--feather", type=_between(0, 0.5), default=0.05, metavar="SHARE",
      help="width of the soft edge outside of what is covered (default: %(default)s)")  # fmt: skip
  add("--shape", choices=pasting.SHAPES, default="box", help="an ellipse leaves the corners (default: %(default)s)")
  add("--boxes", dest="shape", action="store_const", const="box", help="the same as --shape=box")
  add("--keep", action="append", default=[], metavar="FACE", help="leave this face: X,Y,WIDTH,HEIGHT in pixels (faces "
      "whose centre lies in there), or SIDECAR.json:TRACK of an earlier pass with the same settings; several times")  # fmt: skip
  add("--only", action="append", default=[], metavar="FACE", help="hide this one alone, named in the same way")
  add("--seed", type=_integer(0), help="of the noise; without it a secret one, since who knows it can take noise away")
  group = made.add_argument_group("how faces are found")
  add = group.add_argument
  add("--detector", default="haar", metavar="NAME|FILE", help=f"{', '.join(DETECTORS)}, or the path of an .onnx file "
      "(default: %(default)s)")  # fmt: skip
  add("--thresh", "-t", "--threshold", type=_between(0.01, 0.99), metavar="T", help="score from which a face is "
      "believed; half of it where one was before (default: haar 0.5, centerface 0.2)")  # fmt: skip
  add("--scale", "-s", type=_scale, metavar="SIDE|WxH", help="pixels of the longer side to which larger frames are "
      "shrunk for the search (default: 1280)")  # fmt: skip
  add("--min-size", type=_integer(8), default=12, metavar="PIXELS", help="of the frame; smaller faces are passed over "
      "(default: %(default)s)")  # fmt: skip
  usual = footage.Settings()
  add("--every", type=_integer(1), default=1, metavar="N", help="seek faces in every N-th frame (default: 1)")
  add("--window", type=_integer(0), metavar="FRAMES", help="frames known before one is written: gaps up to this long are "
      f"filled from both sides (default: {usual.window}; live 5)")  # fmt: skip
  add("--hold", type=_integer(0), metavar="FRAMES", help="frames for which a face stays hidden "
      "before its first and after its last finding; a quarter of it at the picture's border (default: the window)")  # fmt: skip
  add("--on-miss", choices=footage.ON_MISS, default="hold", help="where a face is lost in the middle of the picture, or "
      "a still picture shows none: hold the last place | mask the frame | stop, and write nothing (default: hold)")  # fmt: skip
  group = made.add_argument_group("what is read and written")
  add = group.add_argument
  add("--start", type=_between(0, float("inf")), default=0.0, metavar="SECONDS", help="leave out what is earlier")
  add("--end", type=_between(0, float("inf")), metavar="SECONDS", help="leave out what is later; live: stop then")
  add("--raw", type=_raw, metavar="WxH[@FPS]", help="size and rate of the raw rgb24 frames on standard input")
  add("--codec", choices=CODECS, default="", help="(default: the original's, else h264)")
  add("--quality", type=_integer(0), metavar="CRF", help="constant rate factor, smaller is better and larger")
  add("--no-audio", dest="audio", action="store_false", help="leave the sound out: voices tell people too")
  add("--keep-audio", "-k", dest="audio", action="store_true", help="the default")
  add("--no-subtitles", dest="subtitles", action="store_false", help="leave the subtitles out")
  add("--keep-metadata", "-m", action="store_true", help="keep what files say about themselves: place, time, names")
  add("--sidecar", metavar="PATH", help="(default: OUT.json; '' for none)")
  add("--preview", action="store_true", help="also write OUT.preview.png, a contact sheet of what was written")
  add("--overwrite", action="store_true", help="replace what is there; without it that is an error, and in a folder "
      "what an earlier run of the same command finished is skipped")  # fmt: skip
  return made


def parse(arguments: list[str]) -> argparse.Namespace:
  """The options; exits with status 2 for what cannot be meant."""
  made = parser()
  options = made.parse_args(arguments)
  if options.output is not None:
    if options.target is not None:
      made.error("OUT is given twice, as an argument and as --output")
    options.target = options.output
  if options.target is None:
    made.error("OUT is missing: where should the protected pictures go?")
  if options.mask_scale is not None:
    if options.margin is not None:
      made.error("--margin and --mask-scale say the same; give one")
    options.margin = options.mask_scale - 1
  if options.source == "cam":
    options.source = "0"
  if options.source == "-" and not options.raw:
    made.error("IN is -, so --raw=WIDTHxHEIGHT@FPS must say what comes")
  if options.raw and options.source != "-":
    made.error("--raw is of standard input; IN must be -")
  if options.end is not None and options.end <= options.start:
    made.error(f"--end={options.end:g} is not after --start={options.start:g}")
  options.live = options.source.isdecimal() or options.source.lower().startswith(("rtsp://", "rtsps://"))
  if options.live and options.start:
    made.error("--start is of files; live pictures begin now")
  if options.source == "-" and (options.start or options.end is not None):
    made.error("--start and --end are not of pipes; cut before")
  return options


def _between(low, high):
  def value(text):
    number = float(text)
    if not low <= number <= high:
      raise ValueError
    return number

  value.__name__ = f"number from {low:g} to {high:g}"
  return value


def _integer(low):
  def value(text):
    number = int(text)
    if number < low:
      raise ValueError
    return number

  value.__name__ = f"integer of at least {low}"
  return value


def _scale(text):
  return max(int(side) for side in text.lower().split("x"))


def _raw(text):
  match = re.fullmatch(r"(\d+)x(\d+)(?:@(\d+(?:[./]\d+)?))?", text)
  if not match or not int(match[1]) or not int(match[2]):
    raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT@FPS, such as 640x360@25")
  return int(match[1]), int(match[2]), fractions.Fraction(match[3] or 25)


def path_of(text: str) -> pathlib.Path:
  """The path, `~` expanded."""
  return pathlib.Path(text).expanduser()
