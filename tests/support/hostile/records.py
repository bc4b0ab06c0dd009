"""What protecting footage leaves beside it, and what a job is given."""

import json

import numpy as np

from hostile.spoiling import any_file, cached, json_file
from hostile.verdicts import Kind
from qm_vae import types


def _sidecar(folder):
  frames = [{"frame": 0, "faces": [{"track": 1, "box": [1, 2, 3, 4]}]}]
  record = {"version": 1, "finding": {"detector": "haar"}, "frames": frames, "tracks": [{"track": 1}]}
  (folder / "side.json").write_text(json.dumps(record))


def _read_sidecar(folder):
  from qm_vae.deidentify import selection

  selection._one(f"{folder / 'side.json'}:1", {"detector": "haar"})


def _people(folder):
  (folder / "people.csv").write_text("image,identity\na.png,x\nb.png,y\n")


def _read_people(folder):
  from qm_vae.audit import people

  people._rows(folder / "people.csv", "image", "identity")


_FACE = types.Detections(np.float32([[20, 10, 16, 16]]), np.float32([0.9]))


def _protected(folder):
  """A clip, what was made of it, its OUT.json, what was reviewed, and what a second detector found."""
  import av

  from qm_vae.deidentify import job
  from qm_vae.deidentify.sidecar import Sidecar
  from qm_vae.deidentify.tracking.places import Place

  for name in ("clip.mkv", "safe.mkv"):
    with av.open(str(folder / name), "w") as out:
      stream = out.add_stream("ffv1", rate=10)
      stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
      for number in range(3):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        frame.pts = number
        out.mux(stream.encode(frame))
      out.mux(stream.encode(None))
  source = {"name": "clip.mkv", "sha256": job.sha256(folder / "clip.mkv"), "width": 64, "height": 48}
  head = {"source": source, "finding": {"detector": "haar", "start": 0.0, "end": None}, "detector": {"threshold": 0.5}}
  head |= {"method": {"name": "solid", "margin": 0.1, "feather": 0.05, "shape": "ellipse"}}
  sidecar = Sidecar(folder / "safe.mkv.json", head)
  for n in range(3):
    sidecar.frame(n, n / 10, [(Place(1, np.float32([20, 10, 16, 16]), 0.9, "found", False), True)], "")
  sidecar.close({"notes": [], "failures": []})
  drop = {"action": "drop", "track": 1}
  add = {"action": "add", "frames": [0, 2], "boxes": [[0, 3, 3, 9, 9]]}
  entry = {"file": "clip.mkv", "sha256": source["sha256"], "decisions": [drop, add], "seen": ["a"]}
  review = {"version": 1, "record": "safe.mkv.json", "signed": None, "files": [entry]}
  (folder / "safe.mkv.review.json").write_text(json.dumps(review))
  row = {"file": "clip.mkv", "record": job.sha256(folder / "safe.mkv.json"), "detector": {"name": "haar"}, "frames": 3}
  row |= {"faces": 3, "hidden": 3, "found_only": 2, "missed": [{"time": 0.1, "box": [1, 2, 3, 4]}]}
  (folder / "safe.mkv.coverage.json").write_text(json.dumps({"version": 1, "files": [row]}))


def _pictures(folder):
  """A folder of pictures, protected."""
  from PIL import Image

  (folder / "photos").mkdir()
  (folder / "safe").mkdir()
  rows = []
  for name in ("a.png", "b.png"):
    for place in ("photos", "safe"):
      Image.new("RGB", (30, 20), (9, 9, 9)).save(folder / place / name)
    face = {"box": [2, 3, 9, 9], "score": 0.9, "hidden": True}
    rows.append({"file": name, "faces": [face], "notes": [], "failures": []})
  head = {"version": 1, "source": {"name": "photos"}, "detector": {"threshold": 0.5}, "method": {"name": "solid"}}
  (folder / "safe.json").write_text(json.dumps(head | {"files": rows}))
  row = {"file": "a.png", "settings": "x", "source": "photos", "made": [5, 6], "state": [7, 8], "record": {"hidden": 1}}
  lines = [json.dumps(row), json.dumps(row | {"file": "b.png", "made": "begun", "state": None, "record": None})]
  (folder / "safe" / ".deidentified.jsonl").write_text("\n".join(lines) + "\n")


def _read_coverage(folder):
  from qm_vae.deidentify import coverage

  detector = types.Detector(lambda image: _FACE, 0.5, 0.25, {"name": "one"})
  return coverage.measured(folder / "clip.mkv", folder / "safe.mkv.json", detector, protected=folder / "safe.mkv")


def _reviewed(name):
  def read(folder):
    from qm_vae.review import auditor, session

    return auditor.write(session.Session(folder / name))

  return read


def _read_earlier_review(folder):
  from qm_vae.deidentify import decisions

  return decisions.read(folder / "safe.mkv.review.json")


def _read_journal(folder):
  from qm_vae.deidentify import journal

  path = folder / "safe" / journal.JOURNAL
  journal.original_sizes(folder / "safe")
  with journal.Journal(path, "x", folder / "photos") as known:
    known.known("a.png", [7, 8], [5, 6])
    known.owns("b.png", [1, 2])


def _manifest(folder):
  names = ["a.png", "b/c.png"]
  (folder / "list.txt").write_text("\n".join(names))
  (folder / "list.csv").write_text("path,other\n" + "".join(f"{name},1\n" for name in names))
  (folder / "list.jsonl").write_text("".join(json.dumps({"path": name}) + "\n" for name in names))


def _read_manifest(folder):
  from qm_vae.deidentify import manifest

  for name in ("list.txt", "list.csv", "list.jsonl"):
    for one in manifest.read(folder / name):
      manifest.place(one)


KINDS = {
  "sidecar, a track of it": Kind(_sidecar, json_file("side.json"), _read_sidecar),
  "sidecar, coverage": Kind(cached(_protected), json_file("safe.mkv.json"), _read_coverage),
  "sidecar, review": Kind(cached(_protected), json_file("safe.mkv.json"), _reviewed("safe.mkv.json")),
  "sidecar of pictures, review": Kind(cached(_pictures), json_file("safe.json"), _reviewed("safe.json")),
  "review file": Kind(cached(_protected), json_file("safe.mkv.review.json"), _read_earlier_review),
  "review file, review": Kind(cached(_protected), json_file("safe.mkv.review.json"), _reviewed("safe.mkv.json")),
  "coverage file, review": Kind(cached(_protected), json_file("safe.mkv.coverage.json"), _reviewed("safe.mkv.json")),
  "journal of a folder": Kind(cached(_pictures), any_file("safe/.deidentified.jsonl"), _read_journal),
  "manifest": Kind(_manifest, any_file("list.txt", "list.csv", "list.jsonl"), _read_manifest),
  "people.csv": Kind(_people, any_file("people.csv"), _read_people),
}
"""By name."""
