"""Entry points start where the modules of POSIX systems are missing."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
POSIX = ("fcntl", "termios", "pwd", "grp", "tty", "pty", "resource", "crypt")
FOLDERS = ("qm_vae", "launch", "configs")
WITHOUT = ("qm_vae.bench.twin", "qm_vae.demo.page")  # need PyTorch and Gradio, which requirements-*.txt bring
NOT_LOCKED = ("colab", "torch", "demo", "wandb", "mlflow")  # requirements-*.txt that bring versions of their own


def run(code):
  return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def modules():
  """Every module of the packages, programs' `__main__` included."""
  files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
  names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
  return [name for name in names if name not in WITHOUT and "colab" not in name]


def test_every_module_imports_without_posix_modules():
  """No entry point, and nothing that one loads, needs a module that Windows lacks."""
  found = modules()
  assert {"qm_vae.main", "qm_vae.__main__", "qm_vae.bench.first_step", "qm_vae.review.server", "launch.bulk"} <= set(
    found
  )
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
    if name.partition(".")[0] in {FOLDERS!r}:
      return False
    if not name.startswith("importlib") and name not in ("__main__", "_frozen_importlib"):
      return True
    frame = frame.f_back
  return False
sys.meta_path.insert(0, Block())
for name in {found!r}:
  try:
    importlib.import_module(name)
  except ImportError as error:
    sys.exit(f"{{name}}: {{error}}")
"""
  done = run(code)
  assert done.returncode == 0, done.stderr[-2000:]


def test_macos_on_intel_says_what_is_missing():
  """Where JAX has no wheels the package says so when it is imported."""
  pretend = "import importlib.util, platform, sys; sys.platform = 'darwin'; platform.machine = lambda: 'x86_64'"
  hidden = (
    "real = importlib.util.find_spec; importlib.util.find_spec = lambda n, *a: None if n == 'jax' else real(n, *a)"
  )
  done = run(f"{pretend}; {hidden}; import qm_vae")
  assert done.returncode == 1 and "JAX, which is not made for macOS on Intel processors" in done.stderr
  assert run("import qm_vae").returncode == 0


def test_cameras_elsewhere_say_that_they_are_not_read(monkeypatch):
  """Video4Linux is of Linux alone."""
  pytest.importorskip("av", reason="requirements-video.txt is not installed")
  from qm_vae.deidentify import video
  from qm_vae.deidentify.video import opening

  monkeypatch.setattr(sys, "platform", "win32")
  with pytest.raises(video.VideoError, match=r"camera 0 .*Video4Linux, which win32 has not; give a file"):
    opening.open_container("0", live=True)


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin arm64", "darwin x86_64"])
def test_requirements_leave_out_what_has_no_wheels(platform):
  """JAX is not asked for on macOS with Intel, nor array_record on Windows; all else is asked for everywhere."""
  from packaging.requirements import Requirement

  system, _, machine = platform.partition(" ")
  lines = (ROOT / "requirements-cpu.txt").read_text(encoding="utf-8").splitlines()
  needed = [Requirement(line) for line in lines if not line.startswith("#")]
  here = {"sys_platform": system, "platform_machine": machine or "x86_64"}
  left_out = {one.name for one in needed if one.marker and not one.marker.evaluate(here)}
  jax = {"jax", "flax", "optax", "orbax-checkpoint", "chex"}
  expected = {"linux": set(), "win32": {"array_record"}, "darwin arm64": set(), "darwin x86_64": jax | {"array_record"}}
  assert left_out == expected[platform]


@pytest.mark.parametrize("version", ["311", "312", "313"])
def test_locks_hold_one_hashed_version_of_all_that_is_required(version):
  """All but CUDA and NOT_LOCKED is locked, within its bounds, with hashes and without a host's name."""
  from packaging.requirements import Requirement
  from packaging.utils import canonicalize_name

  text = (ROOT / f"constraints/py{version}.txt").read_text(encoding="utf-8")
  assert "://" not in text
  locked = {}
  for entry in text.replace("\\\n", " ").splitlines():
    if entry.startswith("#"):
      continue
    one = Requirement(entry.split("--hash")[0])
    (pin,) = one.specifier
    assert pin.operator == "==" and "--hash=sha256:" in entry, entry
    locked[canonicalize_name(one.name)] = pin.version
  for path in ROOT.glob("requirements-*.txt"):
    if path.stem.removeprefix("requirements-") in NOT_LOCKED:
      continue
    for line in path.read_text(encoding="utf-8").splitlines():
      if line and not line.startswith("#"):
        one = Requirement(line.split("#")[0])
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), line


def test_licences_of_every_locked_package_are_listed():
  """docs/licences.md names every package of the lock that it is about."""
  text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
  lock = (ROOT / "constraints" / "py312.txt").read_text(encoding="utf-8")
  names = re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE)
  listed = set(re.split(r"[|,\s]+", text.partition("## All packages")[2]))
  assert len(names) > 100 and [name for name in names if name not in listed] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_requirements_have_upper_bounds(path):
  """Every requirement says up to which version it was tested."""
  lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
  assert [line for line in lines if line and "<" not in line] == []
