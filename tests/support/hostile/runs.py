"""What lies in a run's folder."""

import hashlib
import json
import pathlib
import tempfile
import warnings
import zipfile

import numpy as np

from hostile.spoiling import any_below, any_file, cached, json_file, npz_file, spoil_bytes, spoil_tree
from hostile.verdicts import Kind


def _run(folder):
  from qm_vae.experiments import schema

  (folder / "config.json").write_text(json.dumps(schema.config_dict(schema.Config()).to_dict()))


def _read_run(folder):
  from qm_vae.experiments import config_file, schema

  schema.check(config_file.load(folder))


def _provenance(folder):
  (folder / "provenance.json").write_text(json.dumps({"train": "a", "test": "b", "networks": {"service": "c"}}))


def _read_provenance(folder):
  from unittest import mock

  from qm_vae.experiments import provenance

  now = {"train": "a", "test": "b", "networks": {"service": "c"}}
  with mock.patch.object(provenance, "digests", lambda *_: now):
    provenance.check(None, None, folder)


def _metrics(folder):
  rows = [{"step": i, "split": "test", "loss": 0.1, "epoch": i} for i in range(5)]
  (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _read_metrics(folder):
  from qm_vae.io import records

  records.rewind(folder, 3)


def _faces(folder):
  from tiny_run import faces

  from qm_vae.faces import cache

  cache._write(folder / "faces.npz", faces(4))


def _read_faces(folder):
  from qm_vae.faces import cache

  return cache._read(folder / "faces.npz")


def _report(folder):
  (folder / "report.json").write_text(json.dumps({"version": 1, "methods": [{"name": "x"}]}))
  np.savez(folder / "evaluation.npz", a=np.zeros(3))


def _read_report(folder):
  from qm_vae.report import files

  files.read(folder, files.RUN)


def _gallery(folder):
  from qm_vae.io import records

  arrays = {"image": np.zeros((3, 8, 8, 3), np.uint8), "identity": np.arange(3), "eyes": np.zeros((3, 4), np.float32)}
  records.write_arrays(folder / "gallery.npz", arrays)


def _read_gallery(folder):
  from qm_vae.experiments import gallery

  return gallery.load(folder)


def _state():
  return {
    "params": {"bias": np.arange(5, dtype=np.float32), "kernel": np.ones((3, 4), np.float32)},
    "step": np.int32(7),
  }


def _checkpoints(folder):
  from qm_vae.io.checkpoints import Checkpoints

  made = Checkpoints(folder / "checkpoints")
  made.save(7, _state())
  made.close()


def _read_checkpoints(folder):
  from qm_vae.io.checkpoints import Checkpoints

  made = Checkpoints(folder / "checkpoints")
  try:
    return made.read()
  finally:
    made.close()


def _resume(folder):
  """As training does: a damaged checkpoint is set aside with a warning that names it."""
  from qm_vae.io.checkpoints import Checkpoints

  made = Checkpoints(folder / "checkpoints")
  try:
    with warnings.catch_warnings(record=True) as said:
      warnings.simplefilter("always")
      state = made.restore(_state())
  finally:
    made.close()
  if (
    state is None
    and not any("checkpoints" in str(one.message) for one in said)
    and any((folder / "checkpoints").iterdir())
  ):
    raise AssertionError("a checkpoint was passed over without a word")
  if state is not None:
    np.testing.assert_array_equal(state["params"]["bias"], _state()["params"]["bias"])


def _whole_run(folder):
  _run(folder)
  _provenance(folder)
  _checkpoints(folder)
  config = json.loads((folder / "config.json").read_text())
  row = {"step": 7, "split": "test", "loss": 0.1, "epoch": config["epochs"]}
  (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")


def _read_whole_run(folder):
  from qm_vae.experiments import export_file
  from qm_vae.io import run_folder

  run_folder.read_provenance(folder)
  return export_file.finished(folder)


def _export(folder):
  with tempfile.TemporaryDirectory() as scratch:
    made = pathlib.Path(scratch)
    _run(made)
    _provenance(made)
    np.savez(made / "generator.npz", **{".params['bias']": np.zeros(3, np.float32)})
    members = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
  digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
  with zipfile.ZipFile(folder / "run.zip", "w") as archive:
    archive.writestr("export.json", json.dumps({"format": 1, "qm_vae": "0", "step": 7, "files": digests}))
    for name, content in members.items():
      archive.writestr(name, content)


def _spoil_export(rng, folder):
  path = folder / "run.zip"
  if rng.random() < 0.5:
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return "run.zip"
  with zipfile.ZipFile(path) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  name = rng.choice(sorted(members))
  how = rng.randrange(4)
  if how == 0:
    del members[name]
  elif how == 1:
    members[name] = spoil_bytes(rng, members[name])
  elif how == 2:
    members[rng.choice(("../outside.npz", "/tmp/outside.npz", "networks/../../x.npz", "x.py"))] = b"x"
  else:
    members[name] = json.dumps(spoil_tree(rng, json.loads(members["export.json"]))).encode()
  if rng.random() < 0.5 and "export.json" in members and how:  # with digests that fit
    index = {"format": 1, "qm_vae": "0", "step": 7, "files": {}}
    index["files"] = {key: hashlib.sha256(value).hexdigest() for key, value in members.items() if key != "export.json"}
    members["export.json"] = json.dumps(index).encode()
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    for key, content in members.items():
      archive.writestr(key, content)
  return "run.zip"


def _read_export(folder):
  from qm_vae.experiments import export_file

  with export_file.unpacked(folder / "run.zip") as found:
    return found.step


KINDS = {
  "config.json": Kind(_run, json_file("config.json"), _read_run),
  "provenance.json": Kind(_provenance, json_file("provenance.json"), _read_provenance),
  "metrics.jsonl": Kind(_metrics, any_file("metrics.jsonl"), _read_metrics),
  "report.json": Kind(_report, json_file("report.json"), _read_report),
  "evaluation.npz": Kind(_report, npz_file("evaluation.npz"), _read_report),
  "gallery.npz": Kind(_gallery, npz_file("gallery.npz"), _read_gallery),
  "face cache": Kind(_faces, npz_file("faces.npz"), _read_faces),
  "Orbax folder, read": Kind(cached(_checkpoints), any_below, _read_checkpoints),
  "Orbax folder, resumed": Kind(cached(_checkpoints), any_below, _resume),
  "run folder": Kind(cached(_whole_run), any_below, _read_whole_run),
  "exported run": Kind(cached(_export), _spoil_export, _read_export),
}
"""By name."""
