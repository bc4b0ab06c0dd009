"""What the page may ask for: a job's files, frames and faces, what is saved, and to apply it."""

import pathlib
import threading
from typing import Any

from qm_vae.deidentify import decisions, methods
from qm_vae.errors import InputError
from qm_vae.review import applying, auditor, moments
from qm_vae.review.files import PICTURE, File, Job
from qm_vae.review.frames import Frames
from qm_vae.review.saved import Saved

_CHUNK = 512  # frames whose faces may be asked for at once
_DECODERS = 4  # files whose frames are kept ready


class Session:
  """One job opened for review."""

  def __init__(
    self,
    sidecar: pathlib.Path,
    source: pathlib.Path | None = None,
    protected: pathlib.Path | None = None,
    review: pathlib.Path | None = None,
  ):
    """Reads the job and what was saved of it; see files.Job and saved.Saved for what is raised."""
    self._places = sidecar, source, protected
    self.work = Job(*self._places)
    self.saved = Saved(self.work, review)
    self.application = applying.Application()
    self._lock = threading.Lock()
    self._frames: dict[tuple[int, bool], Frames] = {}

  def _file(self, number) -> File:
    if not 0 <= number < len(self.work.files):
      raise IndexError(f"file {number} of {len(self.work.files)}")
    return self.work.files[number]

  def job(self) -> dict[str, Any]:
    """The job, its files, and all doubtful moments in the order in which they are to be looked at."""
    work = self.work
    try:
      command, cannot = applying.shown(*applying.command(work, self.saved.path)), ""
    except applying.CannotApply as error:
      command, cannot = "", str(error)
    made = []
    for number, file in enumerate(work.files):
      made += [{"file": number} | one._asdict() for one in self.moments(file)]
    order = list(moments.WHY)
    made.sort(key=lambda one: order.index(one["why"]))  # of equals the order stays: file by file, by time
    return {
      "name": work.protected.name,
      "kind": work.kind,
      "files": [self._row(file) for file in work.files],
      "moments": made,
      "why": moments.WHY,
      "method": (work.head.get("method") or {}).get("name", ""),
      "methods": methods.names(),
      "first_added": decisions.FIRST_ADDED,
      "command": command,
      "cannot_apply": cannot,
      "review_file": self.saved.path.name,
      "revision": self.saved.revision,
      "signed": self.saved.signed,
    }

  def _row(self, file):
    row = {"name": file.name, "kind": file.kind, "frames": file.frames, "original": file.has_original}
    row |= {"failures": file.failures, "applied": decisions.to_json(file.before.rows)}
    return row | self.saved.of(file.name)

  def moments(self, file: File) -> list[moments.Moment]:
    """The doubtful moments of a file."""
    if file.record is None:
      threshold = float((self.work.head.get("detector") or {}).get("threshold") or 0.0)
      return moments.of_picture(file.faces, file.failures, threshold)
    return moments.of_video(file.record)

  def file(self, number: int) -> dict[str, Any]:
    """Size, rate and tracks of a file."""
    file = self._file(number)
    width, height = file.size
    rate = float(file.record.head["source"].get("rate") or 25) if file.record else 1.0
    tracks = moments.segments(file.record) if file.record else []
    tracks = tracks or [{"track": i + 1, "parts": [[0, 0, "found"]]} for i in range(len(file.faces))]
    return {"width": width, "height": height, "rate": rate, "tracks": tracks, "notes": file.notes}

  def faces(self, number: int, first: int, last: int) -> list[dict[str, Any]]:
    """{"time", "blanked", "faces"} of the frames first to last, less what a person drew."""
    file = self._file(number)
    if not 0 <= first <= last < file.frames or last - first >= _CHUNK:
      raise IndexError(f"frames {first} to {last} of {file.frames}; at most {_CHUNK} at once")
    return [_frame(file, frame) for frame in range(first, last + 1)]

  def picture(self, number: int, frame: int, side: int, *, original: bool) -> bytes:
    """A frame as JPEG; see Frames.jpeg. The original is compared with the record before it is shown."""
    file = self._file(number)
    path = file.original() if original else file.protected
    with self._lock:
      key = number, original
      frames = self._frames.pop(key, None) or Frames(
        path, file.times(), moving=file.kind != PICTURE, begins=file.begins if original else 0.0
      )
      self._frames[key] = frames  # the newest last
      old = self._frames.pop(next(iter(self._frames))) if len(self._frames) > _DECODERS else None
    if old is not None:
      old.close()
    return frames.jpeg(frame, side)

  def save(self, number: int, content: dict, revision: Any) -> int:
    """See Saved.put; a track that there is not is refused here, not when it is applied."""
    file = self._file(number)
    known = {one["track"] for one in self.file(number)["tracks"]}
    for row in decisions.of_json(content.get("decisions"), file.name).rows:
      if row.action != decisions.ADD and row.track not in known:
        raise InputError(f"{file.name} has no track {row.track}")
      if row.method:
        methods.open_method(row.method)
    return self.saved.put(file.name, content, revision)

  def sign(self, by: Any, note: Any, revision: Any) -> dict[str, Any]:
    """Signs, and writes the auditor's page OUT.html."""
    made = self.saved.sign(by, note, revision)
    return {"revision": made, "signed": self.saved.signed, "page": auditor.write(self).name}

  def audit_page(self) -> str:
    """The auditor's page as it is now."""
    return auditor.render(self)

  def apply(self) -> None:
    """Begins to run `deidentify` again with what was saved.

    Raises:
      applying.CannotApply: with what to do by hand.
      InputError: where it runs already.
    """
    arguments, place = applying.command(self.work, self.saved.path)
    if not self.saved.path.exists():
      raise applying.CannotApply("nothing was decided yet")
    if not self.application.start(arguments, place, self._applied):
      raise InputError("it is being applied already")

  def _applied(self, well):
    """Reads the new record and forgets the old frames."""
    del well  # of a folder some files may have failed, and the others are new
    work = Job(*self._places)
    saved = Saved(work, self.saved.path)
    with self._lock:
      saved.revision = self.saved.revision
      old, self._frames = self._frames, {}
      self.work, self.saved = work, saved
    for frames in old.values():
      frames.close()
    auditor.write(self)


def _frame(file, frame):
  if file.record is None:
    faces = [
      {"track": i + 1, "box": face["box"], "score": face["score"], "how": "found", "hidden": face["hidden"]}
      for i, face in enumerate(file.faces)
    ]
    return {"time": 0.0, "blanked": "", "faces": faces}
  faces = [
    {
      "track": place.track,
      "box": [round(float(value), 1) for value in place.box],
      "score": round(place.score, 3),
      "how": "lost" if place.lost else place.how,
      "hidden": hidden,
    }
    for place, hidden in file.record.faces(frame)
    if place.how != decisions.ADDED
  ]
  return {"time": float(file.record.times[frame]), "blanked": file.record.blanked(frame), "faces": faces}
