"""What one call of the program works with, and what comes of one file."""

import datetime
import hashlib
import pathlib
from typing import Any, NamedTuple

import qm_vae
from qm_vae.deidentify import methods
from qm_vae.deidentify.contact_sheet import ContactSheet
from qm_vae.deidentify.hiding import TOGETHER, Hider
from qm_vae.errors import InputError
from qm_vae.faces import detectors
from qm_vae.faces.detectors import tiles
from qm_vae.types import Detector

_CHUNK = 2**20  # bytes


class Job(NamedTuple):
  """The tools that all files of one call share."""

  options: Any  # see options.py
  command: str
  detector: Detector  # of video
  hider: Hider
  method: dict  # what the method is
  sheet: ContactSheet | None
  stills: Detector | None = None  # of pictures; None: `detector`

  @property
  def of_pictures(self) -> Detector:
    """Who finds the faces of pictures."""
    return self.stills or self.detector

  def of(self, options) -> "Job":
    """The same tools for one IN of several, with a contact sheet of its own."""
    return self._replace(options=options, sheet=ContactSheet() if options.preview else None)


class Outcome(NamedTuple):
  """What became of one file."""

  name: str
  hidden: int  # faces, over all frames
  notes: tuple[str, ...]  # what should be known
  failures: tuple[str, ...]  # what was asked for and not done
  record: dict  # for the sidecar


def open_job(options, command: str) -> Job:
  """The tools that `options` (options.py) name; `command` goes into the records.

  Raises:
    ValueError: for a method or a detector that there is not, naming those that there are.
  """
  # Who says to which side pictures are shrunk has chosen what is found.
  of_pictures = options.tiles if options.tiles is not None else options.scale is None
  # The frames of a file are searched several at a time, each by one thread; pictures and live frames one by one.
  of_video = _detector(options, tiled=bool(options.tiles), threads=None if options.live else 1)
  of_stills = _detector(options, tiled=of_pictures)
  method = methods.open_method(
    options.method, gallery=options.gallery, service=options.service, landmarks=options.landmarks or ""
  )
  landmarker = None
  if options.landmarks:
    from qm_vae import landmarkers  # Flax, which no other method needs

    landmarker = landmarkers.on_host(landmarkers.load(options.landmarks), TOGETHER)
  hider = Hider(
    method,
    margin=options.margin,
    feather=options.feather,
    shape=options.shape,
    seed=options.seed,
    landmarker=landmarker,
  )
  sheet = ContactSheet() if options.preview else None
  return Job(options, command, of_video, hider, method.description, sheet, of_stills)


def _detector(options, *, tiled, threads=None):
  found = detectors.open_detector(
    options.detector,
    threshold=options.thresh,
    max_side=options.scale,
    min_size=options.min_size,
    provider=options.provider,
    threads=threads,
  )
  found = tiles.tiled(found) if tiled else found
  if not options.objects:
    return found
  from qm_vae.faces.detectors import objects  # onnxruntime, for those alone who have a network

  path, classes = options.objects
  provider = {"provider": options.provider} if options.provider else {}
  things = objects.of_file(path, classes, min_size=options.min_size, threads=threads, **provider)
  return objects.beside(found, detectors.checked(things))


def head(job: Job, source: dict, finding: dict | None, *, pictures: bool = False) -> dict:
  """What a sidecar, of a video or of `pictures`, says before the first face."""
  return {
    "program": f"qm_vae {qm_vae.__version__}",
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": job.command,
    "source": source,
    "method": job.method | job.hider.description,
    "detector": (job.of_pictures if pictures else job.detector).description,
    "finding": finding,
  }


def sha256(path: str | pathlib.Path) -> str:
  """Of a file's bytes."""
  total = hashlib.sha256()
  with open(path, "rb") as file:
    while chunk := file.read(_CHUNK):
      total.update(chunk)
  return total.hexdigest()


def sidecar_path(options, target: pathlib.Path) -> pathlib.Path | None:
  """Where the record of `target` goes; None for nowhere."""
  if options.sidecar is not None:
    return pathlib.Path(options.sidecar).expanduser() if options.sidecar else None
  return None if str(target) == "-" else target.with_name(target.name + ".json")


def preview_path(options, target: pathlib.Path) -> pathlib.Path | None:
  """Where the contact sheet of `target` goes; None for nowhere."""
  return target.with_name(target.name + ".preview.png") if options.preview else None


def check_beside(options, source: pathlib.Path | None, target: pathlib.Path) -> None:
  """Returns where neither the record nor the contact sheet falls on IN, on OUT, or on one another.

  Raises:
    ValueError: else, or where one of them is a folder.
  """
  taken = {target.resolve(): "OUT"} | ({} if source is None else {source.resolve(): "IN"})
  for what, path in (
    ("the contact sheet", preview_path(options, target)),
    ("the sidecar", sidecar_path(options, target)),
  ):
    if path is None:
      continue
    if (here := path.resolve()) in taken:
      raise InputError(f"{what}, {path}, is {taken[here]}; choose another name")
    if path.is_dir():
      raise InputError(f"{what}, {path}, is a folder; name a file")
    taken[here] = what
