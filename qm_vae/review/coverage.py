"""What a second detector finds in the originals of a job, and how much of it was hidden; kept in OUT.coverage.json."""

import json
import pathlib
from typing import Any

from qm_vae.deidentify import decisions, job
from qm_vae.errors import InputError
from qm_vae.io import images, progress, records
from qm_vae.review.files import PICTURE, VIDEO, File, Job


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
    found = covered.measure(file.original(), json.loads(sidecar.read_text(encoding="utf-8")), finder)
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
  rows = json.loads(path.read_text(encoding="utf-8"))["files"]
  for row in rows:
    file = next((file for file in work.files if file.name == row["file"]), None)
    sidecar = work.sidecar if not row["file"] else _sidecar(work, file) if file else None
    row["outdated"] = not (sidecar and sidecar.is_file() and job.sha256(sidecar) == row["record"])
  return rows


def _sidecar(work: Job, file: File):
  """The record of a video."""
  return work.sidecar if work.kind == VIDEO else file.protected.with_name(file.protected.name + ".json")
