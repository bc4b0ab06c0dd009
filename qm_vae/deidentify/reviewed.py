"""One pass over a file with a person's decisions applied; the faces of the earlier pass are taken from its record."""

import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from qm_vae.deidentify import decisions as deciding
from qm_vae.deidentify import job, methods
from qm_vae.deidentify import record as recording
from qm_vae.deidentify.decisions import Decisions
from qm_vae.deidentify.hiding import Hider
from qm_vae.deidentify.selection import Selection
from qm_vae.deidentify.tracking.places import Place
from qm_vae.errors import InputError
from qm_vae.faces.detectors.heads import overlap

_SAME_PLACE = 0.5  # overlap, as a share of the union, of a picture's face with where it was decided about
_UNSEEN = "not looked at: the earlier pass has no such frame"


class Review(NamedTuple):
  """What is applied to one file; empty where nobody decided anything."""

  decisions: Decisions = Decisions()
  record: recording.Record | None = None  # the earlier pass, whose faces are taken; None: faces are sought
  head: dict[str, Any] = {}  # noqa: RUF012 - for the new record, never changed

  def selection(self, usual: Selection) -> "Reviewed | Selection":
    """`usual` (--keep and --only), overruled by the decisions."""
    return Reviewed(usual, self.decisions) if self.decisions.rows else usual

  def hider(self, work: job.Job) -> "Hider | ByTrack":
    """The job's hider, with others for the tracks that have a method of their own."""
    return by_track(work, self.decisions.methods())

  def places(self, frame: int) -> list[Place]:
    """The faces of the earlier pass in a frame, without what was drawn then."""
    assert self.record is not None
    if frame >= len(self.record):
      return []
    return [place for place, _ in self.record.faces(frame) if place.how != deciding.ADDED]

  def trouble(self, frame: int) -> str:
    """Why nobody could look at a frame then; '' where somebody could."""
    assert self.record is not None
    if frame >= len(self.record):
      return _UNSEEN
    why = self.record.blanked(frame)
    return why if why.startswith("not looked at") else ""


class Reviewed(NamedTuple):
  """A Selection with a person's decisions on top."""

  usual: Selection
  decisions: Decisions

  def hides(self, box: np.ndarray, frame: int, number: int) -> bool:
    """Whether a face is to be hidden.

    Raises:
      ValueError: where a picture's face is not where it was when the decision was made.
    """
    decided = self.decisions.hides(number, frame)
    if decided is None:
      return self.usual.hides(box, frame, number)
    for row in self.decisions.rows:
      moved = row.track == number and row.box and overlap(np.asarray(box, float), np.array([row.box]))[0] < _SAME_PLACE
      if moved:
        now, then = ([round(float(value)) for value in sides] for sides in (box, row.box))
        raise InputError(f"face {number} is at {now}, but was reviewed at {then}; review the picture again")
    return decided

  @property
  def followed(self) -> frozenset[int]:
    """Tracks that are left visible as a whole, by an option or a decision, as long as they show the same person.

    Frames that somebody named are left visible as they were seen.
    """
    rows = self.decisions.rows
    kept = {row.track for row in rows if row.action == deciding.KEEP}
    named = {row.track for row in rows if row.action == deciding.KEEP and (row.first, row.last) != (0, None)}
    return self.usual.followed | kept - named

  def added(self, frame: int) -> list[Place]:
    """What a person drew in a frame."""
    return self.decisions.added(frame)


def of_video(work: job.Job, name: str, sidecar: pathlib.Path | None, finding: dict | None) -> Review:
  """What is applied to the video called `name`.

  Args:
    work: the tools; its options name decisions (--review-file, --add, --drop).
    name: the file.
    sidecar: where its record goes and where the earlier one lies, if not beside the review file.
    finding: what decides the numbers of tracks now; None for pictures that come but once.

  Raises:
    ValueError: for decisions about tracks where there is no record of an earlier pass over the same frames.
  """
  given = deciding.parse(work.options.add, work.options.drop)
  file, called = _review_file(work.options), name_of(work.options, name)
  chosen = file.decisions(called) if file else None
  if chosen is None and not given.rows:
    return Review()
  record, path, entry = None, sidecar, {}
  if file and chosen is not None:
    entry = file.entries[called]
    if path is None or not path.is_file():
      path = file.path.parent / file.record
  if chosen is not None or any(row.action != deciding.ADD for row in given.rows):
    record = _earlier(path, finding, name, entry)
    if chosen is None:
      chosen = deciding.of_json((record.head.get("review") or {}).get("decisions", []), str(path))
  made = Decisions((*(chosen.rows if chosen else ()), *given.rows))
  known = set() if record is None else set(np.unique(record.tracks).tolist())
  for row in made.rows:
    if row.action != deciding.ADD and row.track not in known:
      raise InputError(f"{path} has no track {row.track}; its tracks are {_few(known)}")
  return Review(made, record, _head(made, file, record))


def of_picture(work: job.Job, source: pathlib.Path) -> Review:
  """What is applied to the picture `source`; its faces are sought again, and have the numbers of its record.

  Raises:
    ValueError: for a review file that was made of another picture, or cannot be read.
  """
  given = deciding.parse(work.options.add, work.options.drop)
  file = _review_file(work.options)
  name = name_of(work.options, str(source))
  chosen = file.decisions(name) if file else None
  if file and chosen is not None:
    before = file.entries[name].get("sha256")
    if before and before != job.sha256(source):
      raise InputError(f"{source} is not the picture that was reviewed in {file.path}; review it again")
  made = Decisions((*(chosen.rows if chosen else ()), *given.rows))
  return Review(made, None, _head(made, file, None) if made.rows or chosen is not None else {})


def digest(options, source: pathlib.Path) -> str:
  """Of the decisions about one file of a folder, '' where there are none: with them it has to be made again."""
  file = _review_file(options)
  chosen = file.decisions(name_of(options, str(source))) if file else None
  if chosen is None or not chosen.rows:
    return ""
  return hashlib.sha256(json.dumps(deciding.to_json(chosen.rows)).encode()).hexdigest()


def check(options, names: Iterable[str]) -> None:
  """Returns where a review file is about none but the files of `names`.

  Args:
    options: with --review-file, or without.
    names: as `name_of` has them.

  Raises:
    ValueError: naming a file that is not among them; what was decided about it would be lost without a word.
  """
  file = _review_file(options)
  unknown = sorted(file.entries.keys() - set(names)) if file else []
  if unknown:
    raise InputError(
      f"{file.path} has decisions about {', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}, which is not in "
      "IN; name a single file as it is called there, a file of a folder by its path below IN"
    )


def name_of(options, source: str) -> str:
  """What a review file calls a file: its name, in a folder its path below that."""
  root = pathlib.Path(str(getattr(options, "root", None) or options.source)).expanduser()
  return pathlib.Path(os.path.relpath(source, root)).as_posix() if root.is_dir() else pathlib.Path(source).name


def _review_file(options):
  if not options.review_file:
    return None
  path = pathlib.Path(options.review_file).expanduser()
  if not path.is_file():
    raise InputError(f"--review-file={path}: there is no such file; python -m qm_vae.review OUT.json writes one")
  return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(path, changed):
  del changed  # another time is another content
  return deciding.read(path)


def _earlier(path, finding, name, entry):
  if path is None or not path.is_file():
    raise InputError(f"tracks are those of an earlier pass over {name}, and its record, {path}, is not there")
  record = recording.read(path)
  then = record.head.get("finding")
  if not finding or not then or not record.head.get("detector"):
    raise InputError(f"{path}: only tracks of a file can be decided about, not of a camera or a pipe")
  changed = sorted(key for key in then.keys() | finding.keys() if then.get(key) != finding.get(key))
  if changed:
    differences = "; ".join(f"{key} {then.get(key)!r} then, {finding.get(key)!r} now" for key in changed)
    raise InputError(f"{path} was made otherwise, and its faces are taken; give the same options: {differences}")
  if entry.get("finding") not in (None, then):
    raise InputError(f"{path} was made since by other settings than those that were reviewed; review it again")
  return record


def _head(made, file, record):
  review = {"decisions": deciding.to_json(made.rows), "file": file.path.name if file else None}
  review |= {"signed": file.signed if file else None}
  if record is None:
    return {"review": review}
  taken = {"detector": record.head["detector"], "finding": record.head["finding"]}
  return taken | {"review": review | {"faces": "those of the earlier pass"}}


def _few(numbers):
  shown = sorted(n for n in numbers if n < deciding.FIRST_ADDED)
  return ", ".join(map(str, shown[:20])) + (", ..." if len(shown) > 20 else "")


class ByTrack:
  """Hides the faces of some tracks by methods of their own; called as a `Hider` is."""

  def __init__(self, usual: Hider, others: dict[str, Hider], chosen: dict[int, str]):
    """`chosen` names the method of each such track, `others` has their hiders."""
    self._usual, self._others, self._chosen = usual, others, chosen
    self.description = usual.description | {"by_track": {str(track): name for track, name in chosen.items()}}

  def of(self, shown: bytes) -> "ByTrack":
    """As `Hider.of`."""
    others = {name: hider.of(shown + name.encode()) for name, hider in self._others.items()}
    return ByTrack(self._usual.of(shown), others, self._chosen)

  @property
  def foresight(self) -> float:
    """As `Hider.foresight`."""
    return max(hider.foresight for hider in (self._usual, *self._others.values()))

  def foresee(self, pictures, boxes, tracks, times) -> None:
    """As `Hider.foresee`."""
    for hider, rows in self._rows(tracks):
      hider.foresee(pictures, _taken(boxes, rows), _taken(tracks, rows), times)

  def __call__(self, pictures, boxes, tracks, times=None) -> list[np.ndarray | None]:
    """As `Hider.__call__`; what the usual method hid is what the others see."""
    made: list[np.ndarray | None] = list(pictures)
    for hider, rows in self._rows(tracks):
      whole = {i: picture for i, picture in enumerate(made) if picture is not None}
      of_whole = lambda column, whole=whole: [column[i] for i in whole]
      done = hider(
        list(whole.values()),
        of_whole(_taken(boxes, rows)),
        of_whole(_taken(tracks, rows)),
        None if times is None else of_whole(times),
      )
      for i, picture in zip(whole, done, strict=True):
        made[i] = picture
    return made

  def _rows(self, tracks):
    """Every hider with the positions of its own faces in each picture."""
    for name, hider in [("", self._usual), *self._others.items()]:
      yield hider, [[i for i, t in enumerate(numbers) if self._chosen.get(int(t), "") == name] for numbers in tracks]


def _taken(columns, rows):
  """Of each picture's column the members at its rows."""
  return [[column[i] for i in chosen] for column, chosen in zip(columns, rows, strict=True)]


def by_track(work: job.Job, chosen: dict[int, str]) -> Hider | ByTrack:
  """The job's hider where `chosen` (track -> method) is empty, else one that knows the others too."""
  if not chosen:
    return work.hider
  options, others = work.options, {}
  for name in sorted(set(chosen.values())):
    method = methods.open_method(
      name, gallery=options.gallery, service=options.service, landmarks=options.landmarks or ""
    )
    others[name] = Hider(method, margin=options.margin, feather=options.feather, shape=options.shape, seed=options.seed)
  return ByTrack(work.hider, others, chosen)
