"""Entry points start where the modules of POSIX systems are missing."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
POSIX = ("fcntl", "termios", "pwd", "grp", "tty", "pty", "resource", "crypt")
PROGRAMS = (
  "qm_vae", "qm_vae.main", "qm_vae.evaluate.__main__", "qm_vae.audit.__main__", "qm_vae.deidentify.__main__",
  "qm_vae.deidentify.coverage", "qm_vae.report.__main__", "qm_vae.bench.__main__", "qm_vae.convert",
  "qm_vae.impersonation", "launch.sweep", "launch.bulk",
  # What they load once their command line is read.
  "qm_vae.evaluate.program", "qm_vae.evaluate.qm_vae", "qm_vae.evaluate.impersonation", "qm_vae.audit.audit",
  "qm_vae.deidentify.program", "qm_vae.deidentify.covered", "qm_vae.report.page", "qm_vae.report.audit_page",
  "qm_vae.report.sweep", "qm_vae.bench.program", "qm_vae.convert.torch_recognisers", "qm_vae.convert.keras",
)  # fmt: skip


def test_programs_import_without_posix_modules():
  """No entry point needs a module that Windows lacks."""
  code = f"""
import importlib, importlib.abc, sys
for name in {POSIX!r}:
  sys.modules.pop(name, None)
class Block(importlib.abc.MetaPathFinder):
  def find_spec(self, name, path=None, target=None):
    if name in {POSIX!r} and not allowed():
      raise ImportError(f"{{name}} is of POSIX alone")
def allowed():  # libraries of others ask for them, and do without
  frame = sys._getframe()
  while frame:
    name = frame.f_globals.get("__name__", "")
    if name.partition(".")[0] in ("qm_vae", "launch", "configs"):
      return False
    if not name.startswith("importlib") and name not in ("__main__", "_frozen_importlib"):
      return True
    frame = frame.f_back
  return False
sys.meta_path.insert(0, Block())
for name in {PROGRAMS!r}:
  importlib.import_module(name)
"""
  done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_requirements_have_upper_bounds(path):
  """Every requirement says up to which version it was tested."""
  lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
  assert [line for line in lines if line and "<" not in line] == []
