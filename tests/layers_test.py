"""Imports point down the layers of docs/architecture.md, in import statements and in the registries' strings alike."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]

LAYERS = (
  ("arguments", "errors"),
  ("types", "registry", "options"),
  ("io",),
  ("metrics", "faces", "data", "quantizers"),
  ("models",),
  ("losses", "deidentifiers", "embedders", "landmarkers"),
  ("services",),
  ("training",),
  ("privacy",),
  ("experiments",),
  ("report",),
  ("evaluate", "audit", "deidentify", "bench", "convert"),
  ("review", "demo"),
  ("main", "impersonation", "export"),
  ("__main__",),
)
"""Folders and files of qm_vae, lowest first. Folders of one layer do not import each other."""

HEAVY = {
  "av": {f"deidentify/video/{name}.py" for name in ("encoding", "opening", "positions", "reader", "stored", "writer")},
  "cv2": {
    "faces/cropping.py",
    "faces/detectors/centerface.py",
    "faces/detectors/objects.py",
    "faces/pasting.py",
    "faces/source_crops.py",
    "data/synthetic/__init__.py",
    "data/synthetic/face_surroundings.py",
  },
  "gradio": {"demo/page.py"},
  "h5py": {"convert/keras.py"},
  "onnxruntime": {"io/onnx.py", "faces/detectors/runtime.py"},
  "matplotlib": None,  # the files of report/
  "tensorflow_datasets": {"data/tfds_source.py"},
  "PIL": {"io/images.py", "io/icc.py"},
  "tensorboardX": {"io/writers/on_tensorboard.py"},
  "wandb": {"io/writers/on_wandb.py"},
  "mlflow": {"io/writers/on_mlflow.py"},
  "torch": {"bench/twin.py"},
}
"""Libraries and the only files that may import them."""

FILES = sorted((ROOT / "qm_vae").rglob("*.py"))
_TARGET = re.compile(r"qm_vae(\.\w+)+:\w+")


def _layer(module):
  parts = module.split(".")
  if len(parts) == 1:
    return -1  # the package itself, which everything may import for its version
  for layer, folders in enumerate(LAYERS):
    if parts[1] in folders:
      return layer
  raise AssertionError(f"{module} is in no layer; add its folder to LAYERS in this test")


def _imports(path):
  """Modules that a file imports, or names as 'module:attribute' in a table."""
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: imports are written in full"
      if node.module == "qm_vae":
        yield from (f"qm_vae.{alias.name}" for alias in node.names)
      else:
        yield node.module
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TARGET.fullmatch(node.value):
      yield node.value.partition(":")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "qm_vae")))
def test_imports_point_down(path):
  """A file imports its own folder and lower layers, and nothing outside the package."""
  module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
  if module == "qm_vae":
    return  # the public API points at everything, lazily; tests/public_api_test.py
  for imported in _imports(path):
    assert imported.split(".")[0] not in ("configs", "launch", "tests"), f"{module} imports {imported}"
    if imported.split(".")[0] == "qm_vae" and imported.split(".")[1:2] != module.split(".")[1:2]:
      assert _layer(imported) < _layer(module), f"{module} imports {imported}, which is not of a lower layer"


def test_heavy_libraries_stay_in_their_file():
  """A library listed in HEAVY is imported by no other file."""
  users = {name: set() for name in HEAVY}
  for path in FILES:
    for imported in _imports(path):
      if imported.split(".")[0] in HEAVY:
        users[imported.split(".")[0]].add(str(path.relative_to(ROOT / "qm_vae")))
  for name, allowed in HEAVY.items():
    allowed = allowed if allowed is not None else {u for u in users[name] if u.startswith("report/")}
    assert users[name] <= allowed, f"{name} is imported by {users[name] - allowed}"
