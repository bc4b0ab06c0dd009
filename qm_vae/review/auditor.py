"""The auditor's page, OUT.html: what was done in a job, by whom it was decided, and what it cannot say."""

import base64
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

import qm_vae
from qm_vae.deidentify import decisions, job
from qm_vae.errors import InputError
from qm_vae.io import records
from qm_vae.review import coverage, moments
from qm_vae.review.files import VIDEO, File

if TYPE_CHECKING:
  from qm_vae.review.session import Session

_MARK = '<meta name="generator" content="qm_vae.review">'
_SHOWN = 24  # doubtful moments that are pictured
_SIDE = 480  # pixels of their longer side
_LISTED = 200  # files, and decisions, that are listed
_DECIDED = {
  decisions.ADD: "region drawn, hidden",
  decisions.DROP: "no face, left visible",
  decisions.KEEP: "kept visible on purpose",
  decisions.HIDE: "hidden all the same",
  decisions.METHOD: "method chosen",
}


def write(session: "Session") -> pathlib.Path:
  """Writes OUT.html beside what was made, and returns its path.

  Raises:
    ValueError: where a file of that name lies there that is no such page.
  """
  path = session.work.protected.with_name(session.work.protected.name + ".html")
  if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
    raise InputError(f"{path} exists and is no auditor's page; move it away")
  records.write_text(path, render(session).encode("utf-8", "backslashreplace").decode("utf-8"))
  return path


def render(session: "Session") -> str:
  """The page as text; it loads nothing and has no script."""
  from qm_vae.report import rendering  # brings matplotlib along

  work, saved = session.work, session.saved
  rows = [_row(file) for file in work.files]
  doubtful = session.job()["moments"]
  decided = [(file.name, row) for file in work.files for row in saved.of(file.name)["decisions"]]
  applied = {file.name: decisions.to_json(file.before.rows) for file in work.files}
  waiting = [name for name, before in applied.items() if before != saved.of(name)["decisions"]]
  seen = {(file.name, key) for file in work.files for key in saved.of(file.name)["seen"]}
  names = [file.name for file in work.files]
  doubts = [one for one in doubtful if one["why"] != "found"]
  return rendering.template("deidentified.html").render(
    name=work.protected.name,
    kind=work.kind,
    head=work.head,
    version=qm_vae.__version__,
    signed=saved.signed,
    rows=rows[:_LISTED],
    num_files=len(rows),
    total={key: sum(row[key] for row in rows) for key in _COUNTED},
    decided=[{"file": name, "what": _DECIDED[row["action"]]} | row for name, row in decided[:_LISTED]],
    num_decided=len(decided),
    waiting=waiting,
    num_doubts=len(doubts),
    num_seen=sum((names[one["file"]], moment_key(one)) in seen for one in doubts),
    kinds=[
      {"why": text, "count": count}
      for why, text in moments.WHY.items()
      if (count := sum(one["why"] == why for one in doubts))
    ],
    pictured=_pictured(session, doubts[:_SHOWN]),
    coverage=coverage.read(work),
    hashes=_hashes(work, saved.path),
    notes=[(file.name, note) for file in work.files for note in (*file.failures, *file.notes)][:_LISTED],
  )


def moment_key(moment: dict[str, Any]) -> str:
  """What 'seen' in the review file calls a moment."""
  return f"{moment['why']}:{moment['track']}:{moment['first']}"


_COUNTED = ("frames", "tracks", "found", "filled", "held", "lost", "added", "dropped", "kept", "left", "blanked")


def _row(file: File) -> dict[str, Any]:
  """Counts of places, by how they came about and who decided; a place is one face in one frame."""
  made: dict[str, Any] = {key: 0 for key in _COUNTED} | {"name": file.name, "failed": bool(file.failures)}
  made["frames"] = file.frames
  if file.record is None:
    found = [face for face in file.faces if face["hidden"]]
    visible = [(i + 1, 0) for i, face in enumerate(file.faces) if not face["hidden"]]
    made |= {"tracks": len(file.faces), "found": len(found), "added": len(file.before.added(0))}
  else:
    record = file.record
    ways = np.array([*record.ways, ""])[record.how]
    for how in ("found", "filled", "held", "added"):
      made[how] = int((record.hidden & (ways == how)).sum())
    made["lost"] = int((record.hidden & record.lost).sum())
    made["tracks"] = len(np.unique(record.tracks[ways != "added"]))
    made["blanked"] = sum(bool(note.get("blanked")) for note in record.notes.values())
    frames = np.repeat(np.arange(len(record)), np.diff(record.starts))
    visible = [(int(record.tracks[i]), int(frames[i])) for i in np.flatnonzero(~record.hidden)]
  for track, frame in visible:
    made[_why_visible(file.before, track, frame)] += 1
  return made


def _why_visible(decided, track, frame):
  verdicts = [row for row in decided.rows if row.track == track and row.covers(frame)]
  action = next((row.action for row in reversed(verdicts) if row.action in (decisions.DROP, decisions.KEEP)), "")
  return {decisions.DROP: "dropped", decisions.KEEP: "kept"}.get(action, "left")


def _pictured(session, doubts):
  """The doubtful moments as they are in OUT, protected, with their boxes."""
  made = []
  for one in doubts:
    file = session.work.files[one["file"]]
    try:
      picture = session.picture(one["file"], one["frame"], _SIDE, original=False)
    except (ValueError, OSError):
      continue  # of a file that failed there is nothing to show
    width, height = file.size
    row = session.faces(one["file"], one["frame"], one["frame"])[0]
    drawn = [{"box": place.box.tolist(), "track": ""} for place in file.before.added(one["frame"])]
    made.append(
      one
      | {"name": file.name, "text": moments.WHY[one["why"]], "time": row["time"], "width": width, "height": height}
      | {"uri": "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")}
      | {"faces": [*row["faces"], *drawn], "moving": file.kind == VIDEO}
    )
  return made


def _hashes(work, review):
  """[what, name, SHA-256] of the files that this page is about."""
  files = {"record": work.sidecar, "decisions": review}
  if work.protected.is_file():
    files = {"protected": work.protected} | files
  return [(what, path.name, job.sha256(path)) for what, path in files.items() if path.is_file()]
