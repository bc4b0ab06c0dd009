"""The files of one job of `deidentify`, as its OUT.json lists them, and where each one's pictures are."""

import pathlib
from typing import Any

import numpy as np

from qm_vae.deidentify import decisions, job, journal, one, record, sidecar_form
from qm_vae.deidentify.record import Record
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import images, reading

PICTURE, VIDEO, FOLDER = one.PICTURE, one.VIDEO, "folder"


class File:
  """One picture or video of a job.

  Attributes: name (in a review file), kind, protected (path of what was made), faces (of a picture: dicts of OUT.json),
  record (of a video), failures (why nothing was made), notes, before (decisions that the record was made with).
  """

  def __init__(
    self,
    name: str,
    kind: str,
    protected: pathlib.Path,
    original: pathlib.Path | None,
    row: dict,
    num_bytes: int | None = None,
  ):
    """`row` is what OUT.json says of a picture, or a video's head; `num_bytes` the original's, where it is known."""
    self.name, self.kind, self.protected, self._original = name, kind, protected, original
    self.record: Record | None = None
    self.faces = [face for face in row.get("faces", []) if face.get("how") != decisions.ADDED]
    self.failures, self.notes = list(row.get("failures", [])), list(row.get("notes", []))
    if protected.is_file():  # it can be looked at, whatever failed
      self.failures, self.notes = [], self.failures + self.notes
    self.sha256 = (row.get("source") or {}).get("sha256")
    self.before = decisions.of_json((row.get("review") or {}).get("decisions", []), name)
    self._size, self._verified, self._num_bytes = None, None, num_bytes

  @property
  def frames(self) -> int:
    """How many; a picture has one."""
    return 1 if self.record is None else len(self.record)

  @property
  def size(self) -> tuple[int, int]:
    """(width, height) of the pictures, pixels."""
    if self.record is not None:
      return self.record.head["source"]["width"], self.record.head["source"]["height"]
    if self._size is None:
      height, width = images.read_image(self.protected).shape[:2]
      self._size = width, height
    return self._size

  @property
  def has_original(self) -> bool:
    """Whether a file lies where the original was; whether it is the same is known when it is asked for."""
    return self._original is not None and self._original.is_file()

  def original(self) -> pathlib.Path:
    """The original's path, compared with what was protected: by SHA-256, or a folder's pictures by their length.

    Raises:
      ValueError: where it is missing, or another file than the one that was protected.
    """
    path = self._original
    if path is None or not path.is_file():
      raise InputError(f"the original of {self.name} is not there; name it with --source=PATH")
    state = path.stat().st_size, path.stat().st_mtime_ns
    if self._num_bytes not in (None, state[0]):
      raise InputError(f"{path} is not the file that was protected: it had {self._num_bytes} bytes, not {state[0]}")
    if self.sha256 and self._verified != state:
      if job.sha256(path) != self.sha256:
        raise InputError(f"{path} is not the file that was protected: its SHA-256 is another one")
      self._verified = state
    return path

  def times(self) -> np.ndarray:
    """Seconds of every frame from the start of what was protected."""
    return np.zeros(1) if self.record is None else self.record.times

  @property
  def begins(self) -> float:
    """Seconds of the original at which what was protected begins."""
    return 0.0 if self.record is None else float((self.record.head.get("finding") or {}).get("start") or 0.0)


class Job:
  """A job: what its OUT.json says, and its files.

  Attributes: sidecar, kind, head (settings, versions), protected (file or folder), source (the same of the originals,
  None where it is not there), files, method, detector.
  """

  def __init__(self, sidecar: pathlib.Path, source: pathlib.Path | None = None, protected: pathlib.Path | None = None):
    """Reads OUT.json.

    Args:
      sidecar: OUT.json.
      source: the original or the folder of them, where it is no longer where OUT.json says.
      protected: what was made, if it is not called as the sidecar without `.json`.

    Raises:
      ValueError: for what is no OUT.json, or one without what was made beside it.
    """
    self.sidecar = sidecar
    self.protected = protected or sidecar.with_name(sidecar.name.removesuffix(".json"))
    if not sidecar.is_file():
      raise InvalidFile(sidecar, "does not exist", remedy="give OUT.json, which python -m qm_vae.deidentify wrote")
    if sidecar.suffix != ".json" or not self.protected.exists():
      raise InputError(f"{sidecar}: {self.protected}, what was made, is not there; name it with --protected=PATH")
    self.head, rows = _read(sidecar)
    self.source = source or _find(pathlib.Path((self.head.get("source") or {}).get("name") or ""), sidecar)
    if isinstance(rows, Record):
      self.kind = VIDEO
      self.files = [_video(self._name, self.protected, self.source, rows, sidecar)]
    elif rows is None:
      self.kind = PICTURE
      self.files = [File(self._name, PICTURE, self.protected, self.source, self.head)]
    else:
      self.kind = FOLDER
      sizes = journal.original_sizes(self.protected)
      self.files = [file for row in rows if (file := self._of_folder(row, sizes))]

  @property
  def _name(self):
    """What a review file calls the only file: the original's name."""
    return pathlib.Path((self.head.get("source") or {}).get("name") or self.protected.name).name

  def _of_folder(self, row, sizes):
    name = row.get("file") or ""
    kind = one.kind(pathlib.Path(name))
    if not kind or not {"faces", "output", "failures"} & row.keys():
      return None  # a note of the whole folder
    made = _below(self.protected, name)
    original = None if self.source is None else self.source / name
    if self.source and original and self.source.resolve() not in original.resolve().parents:
      original = None  # a link that leads out of IN is none of this job's
    if kind == VIDEO and (sidecar := made.with_name(made.name + ".json")).is_file():
      return _video(name, made, original, record.read(sidecar), sidecar)
    return File(name, kind, made, original, row, sizes.get(name))


def _read(sidecar) -> tuple[dict[str, Any], Any]:
  """The head, and a Record for a video, rows for a folder, None for a picture."""
  try:
    made = record.read(sidecar)
    return made.head, made
  except InvalidFile as error:
    wrong = error
  content = reading.read_json(sidecar)
  if "frames" in content or not ("files" in content or "faces" in content):
    raise wrong
  sidecar_form.check_pictures(sidecar, content)
  return content, content.get("files")


def _video(name, protected, original, made, sidecar):
  sidecar_form.check_size(sidecar, made.head)
  file = File(name, VIDEO, protected, original, made.head)
  file.record = made
  return file


def _below(root, name):
  """The file called `name` in a folder; raises ValueError for one that lies elsewhere, by its name or by a link."""
  path = (root / name).resolve()
  if root.resolve() not in path.parents:
    raise InputError(f"{name!r} lies outside of {root}; OUT.json was not written by this program")
  return path


def _find(name, sidecar):
  """Where a source of that name is: as named, beside the sidecar, or nowhere (None)."""
  if not name.name:
    return None
  places = (name, sidecar.parent / name, sidecar.parent / name.name)
  return next((place.resolve() for place in places if place.exists()), None)
