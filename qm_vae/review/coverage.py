"""What a second detector finds in the originals of a job, and how much of it was hidden; kept in OUT.coverage.json."""

import json
import pathlib
import reprlib
from typing import Any

from qm_vae.deidentify import decisions, job, record, sidecar_form
from qm_vae.deidentify.sidecar_form import is_box
from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import images, progress, reading, records
from qm_vae.options import OBJECT, TEXT, Rule, integer, is_number
from qm_vae.review.files import PICTURE, VIDEO, File, Job

_REMEDY = "python -m qm_vae.review OUT.json --coverage=DETECTOR writes it anew"
_COUNT = integer(0, 2**53)
_MISSED = Rule(
  lambda found: isinstance(found, list) and all(map(_is_missed, found)),
  "a list of objects with a box, and a file or a time",
)
_DETECTOR = Rule(lambda value: OBJECT.holds(value) and TEXT.holds(value.get("name")), "an object with a name")
_ROW = {"file": TEXT, "record": TEXT, "detector": _DETECTOR, "faces": _COUNT, "hidden": _COUNT, "found_only": _COUNT}
_ROW |= {"missed": _MISSED}


def _is_missed(one):
  rules = {"box": Rule(is_box, ""), "time": Rule(is_number, ""), "file": TEXT}
  return isinstance(one, dict) and "box" in one and all(rules[key].holds(one[key]) for key in rules.keys() & one.keys())


def path_of(work: Job) -> pathlib.Path:
  """Where it is kept."""
  return work.protected.with_name(work.protected.name + ".coverage.json")


def measure(work: Job, detector: str) -> None:
  """Lets a detector look at the originals of all videos and pictures that were written; writes OUT.coverage.json.

  Pictures have one row together, a video each its own.

  Raises:
    ValueError: where nothing was written, an original is missing or another one, or no detector has that name.
  """
  from qm_vae.deidentify import covered  # brings PyAV along
  from qm_vae.faces import detectors

  finder, rows = detectors.open_detector(detector), []
  for file in work.files:
    if file.kind != VIDEO or file.record is None:
      continue
    sidecar = _sidecar(work, file)
    found = covered.measure(file.original(), _document(sidecar), finder)
    rows.append({"file": file.name, "record": job.sha256(sidecar)} | found)
  still = [file for file in work.files if file.kind == PICTURE and not file.failures]
  if still:
    total = {"file": "", "record": job.sha256(work.sidecar), "detector": finder.description}
    total |= {"pictures": len(still), "faces": 0, "hidden": 0, "found_only": 0, "missed": []}
    with progress.bar(len(still), "pictures", "picture", shown=len(still) > 1) as bar:
      for file in still:
        drawn = [{"box": p.box.tolist(), "hidden": True, "how": decisions.ADDED} for p in file.before.added(0)]
        row = {"faces": [*file.faces, *drawn], "notes": file.notes}
        found = covered.measure_picture(images.read_image(file.original()), row, work.head["method"], finder)
        total["missed"] += [{"file": file.name, "box": box} for box in found.pop("missed")]
        total |= {key: total[key] + count for key, count in found.items()}
        bar.update()
    rows.append(total)
  if not rows:
    raise InputError(f"{work.sidecar}: nothing was written, so there is nothing that a second detector could compare")
  records.write_text(path_of(work), json.dumps({"version": 1, "files": rows}, indent=1) + "\n")


def read(work: Job) -> list[dict[str, Any]] | None:
  """The rows of OUT.coverage.json, "outdated" where what was made has changed since; None where there is none."""
  path = path_of(work)
  if not path.is_file():
    return None
  rows = reading.read_json(path, remedy=_REMEDY).get("files")
  if not isinstance(rows, list):
    raise InvalidFile(path, f"has files {reprlib.repr(rows)}", "a list", _REMEDY)
  for row in rows:
    wrong = next((key for key, rule in _ROW.items() if not isinstance(row, dict) or not rule.holds(row.get(key))), "")
    if wrong:
      value = reprlib.repr(row.get(wrong) if isinstance(row, dict) else row)
      raise InvalidFile(path, f"has a row with {wrong} {value}", _ROW[wrong].allowed, _REMEDY)
    counted, where = ("pictures", "file") if "pictures" in row else ("frames", "time")
    if not _COUNT.holds(row.get(counted)) or not all(where in one for one in row["missed"]):
      raise InvalidFile(path, f"has a row without {counted}, or missed faces without a {where}", remedy=_REMEDY)
    file = next((file for file in work.files if file.name == row["file"]), None)
    sidecar = work.sidecar if not row["file"] else _sidecar(work, file) if file else None
    row["outdated"] = not (sidecar and sidecar.is_file() and job.sha256(sidecar) == row["record"])
  return rows


def _document(sidecar):
  made = record.document(sidecar)
  sidecar_form.check_coverage(sidecar, made)
  return made


def _sidecar(work: Job, file: File):
  """The record of a video."""
  return work.sidecar if work.kind == VIDEO else file.protected.with_name(file.protected.name + ".json")
