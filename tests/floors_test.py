"""Imports point down: a file imports its own floor or a lower one (the house's one architectural rule)."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

FLOORS = {
  0: ("types", "registry", "schedule", "progress", "compilation_cache"),
  1: ("losses", "metrics", "rates", "faces", "face_cache", "augment", "network_file", "quantize", "data")
  + ("alignment", "torch_file", "paired_faces", "pasting", "detect", "tracking", "video", "onnx_file", "qualities")
  + ("adversarial", "makeup"),
  2: ("models",),
  3: ("deid", "services", "embedders", "terms"),
  4: (
    "build",
    "rules",
    "state",
    "generator",
    "checkpoint",
    "writer",
    "logbook",
    "compiled",
    "outputs",
    "utility",
    "tasks",
    "privacy",
  )
  + (
    "build_privacy",
    "build_qm_vae",
    "build_black_box",
    "build_attributes",
    "build_rivals",
    "pipeline",
    "protect",
    "devices",
  ),
  5: (
    "train",
    "grid",
    "run",
    "evaluate",
    "evaluate_black_box",
    "evaluate_setting",
    "impersonation",
    "convert",
    "bench",
    "report",
    "lessons",
    "audit",
    "audit_options",
    "evaluate_privacy",
    "deidentify",
  ),
  6: ("main",),
}
"""Modules and folders of qm_vae by floor; a new one is added here, where its place is decided."""

HEAVY = {
  "av": {"video/reader.py", "video/writer.py"},
  "cv2": {"faces.py", "detect/centerface.py", "data/synthetic.py", "data/face_surroundings.py"},
  "h5py": {"convert/keras.py"},
  "onnxruntime": {"onnx_file.py", "detect/centerface.py"},
  "matplotlib": None,  # the report's files
  "tensorflow_datasets": {"data/tfds_source.py"},
  "PIL": {"data/images.py"},
  "tensorboardX": {"writer.py"},
  "torch": {"bench/twin.py"},
}
"""Libraries that are imported in the one file that needs them."""

FILES = sorted(p for p in (ROOT / "qm_vae").rglob("*.py"))


def _floor(module):
  parts = module.split(".")
  if parts[1:] in ([], ["__init__"]):
    return 0  # qm_vae itself: the version
  for floor, names in FLOORS.items():
    if parts[1] in names:
      return floor
  raise AssertionError(f"{module} has no floor; add it to FLOORS in this test")


def _imports(path):
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: imports are written in full"
      if node.module == "qm_vae":
        yield from (f"qm_vae.{alias.name}" for alias in node.names)
      else:
        yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "qm_vae")))
def test_imports_point_down(path):
  module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
  floor = _floor(module)
  for imported in _imports(path):
    if imported.split(".")[0] == "qm_vae":
      assert _floor(imported) <= floor, f"{module} (floor {floor}) imports {imported} (floor {_floor(imported)})"
    assert imported.split(".")[0] not in ("configs", "launch", "tests"), f"{module} imports {imported}"


def test_heavy_libraries_stay_in_their_file():
  users = {name: set() for name in HEAVY}
  for path in FILES:
    for imported in _imports(path):
      if imported.split(".")[0] in HEAVY:
        users[imported.split(".")[0]].add(str(path.relative_to(ROOT / "qm_vae")))
  for name, allowed in HEAVY.items():
    allowed = allowed if allowed is not None else {u for u in users[name] if u.startswith("report/")}
    assert users[name] <= allowed, f"{name} is imported by {users[name] - allowed}"
