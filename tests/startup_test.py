"""What the programs load before they know what to do, counted in modules."""

import pathlib
import subprocess
import sys

import pytest

from qm_vae.deidentify import methods, options

ROOT = pathlib.Path(__file__).parents[1]
HEAVY = {"jax", "flax", "tensorflow", "cv2", "matplotlib", "scipy", "torch", "onnxruntime", "tensorflow_datasets"}
NOT_TYPED = {"qm_vae.bench.first_step"}  # started by the benchmark, without options


def programs():
  """The modules that people start with python -m."""
  found = []
  for path in sorted([*ROOT.glob("qm_vae/**/*.py"), *ROOT.glob("launch/*.py")]):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if path.name == "__main__.py" or 'if __name__ == "__main__"' in path.read_text(encoding="utf-8"):
      found.append(name.removesuffix(".__main__"))
  return sorted(set(found) - NOT_TYPED)


def test_programs_are_found():
  """The list below is not empty for want of a pattern."""
  assert {"qm_vae.main", "qm_vae.deidentify", "qm_vae.audit", "launch.sweep"} <= set(programs())


@pytest.mark.parametrize("program", programs())
def test_help_loads_no_heavy_library(program):
  """--help is answered before JAX, OpenCV, Matplotlib or SciPy are loaded, and exits with 0 (absl's with 1)."""
  code = f"""
import runpy, sys
sys.argv = [{program!r}, "--help"]
try:
  runpy.run_module({program!r}, run_name="__main__", alter_sys=True)
except SystemExit as ended:
  status = ended.code or 0
print("status", status, sorted({HEAVY!r} & set(sys.modules)))
"""
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
  assert len(done.stdout) > 300, done.stderr[-2000:]
  status = 1 if program == "qm_vae.evaluate.fit_views" else 0
  assert done.stdout.splitlines()[-1] == f"status {status} []"


def test_methods_of_the_help_are_those_that_hide():
  """The command line lists the methods without loading them, and lists the right ones."""
  assert methods.names() == options.METHODS
