"""The command qm-vae, and the package as it is installed outside a clone."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

import pytest

from qm_vae import __main__ as command
from qm_vae.experiments import shelf

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
  """A folder laid out as an installation: configs and launch inside the package."""
  site = tmp_path_factory.mktemp("site")
  leave_out = shutil.ignore_patterns("__pycache__")
  shutil.copytree(ROOT / "qm_vae", site / "qm_vae", ignore=leave_out)
  for name in ("configs", "launch"):
    shutil.copytree(ROOT / name, site / "qm_vae" / name, ignore=leave_out)
  return site


def run(site, folder, *arguments):
  environment = dict(os.environ) | {"PYTHONPATH": str(site)}
  line = [sys.executable, "-m", "qm_vae", *arguments]
  return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_command_lists_what_there_is(capsys):
  """Help has one line for every command, each of a module that exists; a misspelt one gets the nearest."""
  assert command.main(["--help"]) == 0
  lines = capsys.readouterr().out
  for name, (module, words) in command.COMMANDS.items():
    assert f"  {name:<12}{words}\n" in lines and importlib.util.find_spec(module), name
  assert command.main(["deidentifi"]) == 2
  assert "did you mean deidentify" in capsys.readouterr().err
  assert command.main([]) == 2


def test_installed_package_knows_its_experiments_by_name(installed, tmp_path):
  """Outside a clone --config takes the name of an experiment, and says which there are."""
  told = run(installed, tmp_path, "train", "--config=alpha4")
  assert told.returncode == 1 and "did you mean alpha04" in told.stderr and "smoke" in told.stderr
  told = run(installed, tmp_path, "train", "--config=table1:celeba_folder", "--config.epochs=none")
  assert told.returncode == 1 and "config.epochs" in told.stderr
  told = run(installed, tmp_path, "train", "--help")
  assert told.returncode == 0 and "\n  alpha04" in told.stdout
  told = run(installed, tmp_path, "sweep", "--config=table1", "--seeds=0")
  assert told.returncode == 0 and told.stdout.count("--config.alpha=") == 11, told.stderr
  assert not list(tmp_path.iterdir())


def test_clone_takes_names_and_paths():
  """In a clone an experiment's name, its path and its path in configs/ are one file."""
  paths = {shelf.experiment(name).resolve() for name in ("smoke", "configs/smoke.py", str(ROOT / "configs/smoke.py"))}
  assert paths == {ROOT / "configs/smoke.py"}
  assert shelf.experiment("nothing") == pathlib.Path("nothing")


def test_every_requirements_file_is_an_extra():
  """requirements-NAME.txt and the extra NAME are the same list; cpu is what the package needs itself."""
  dynamic = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
  of_extras = {name: one["file"] for name, one in dynamic["optional-dependencies"].items()}
  files = {path.name for path in ROOT.glob("requirements-*.txt")} - {"requirements-cpu.txt", "requirements-colab.txt"}
  assert of_extras == {name[13:-4]: [name] for name in files} | {"cuda12": ["requirements.txt"]}
  assert dynamic["dependencies"]["file"] == ["requirements-cpu.txt"]


def test_hiding_faces_needs_no_training_library(tmp_path):
  """Where TFDS, Orbax and Optax are missing, the faces of a picture are hidden all the same."""
  code = f"""
import importlib.abc, sys
MISSING = ("tensorflow_datasets", "array_record", "orbax", "optax", "matplotlib", "h5py", "scipy.stats")
class Block(importlib.abc.MetaPathFinder):
  def find_spec(self, name, path=None, target=None):
    if name in MISSING or name.startswith(tuple(f"{{one}}." for one in MISSING)):
      raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
from PIL import Image
from qm_vae.data import synthetic
Image.fromarray(synthetic.make(num_people=1, images_per_person=1, seed=0)[0].image).save({str(tmp_path / "in.png")!r})
from qm_vae.deidentify.__main__ import main
sys.exit(main([{str(tmp_path / "in.png")!r}, {str(tmp_path / "out.png")!r}]))
"""
  done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr[-2000:]
  assert (tmp_path / "out.png").read_bytes() != (tmp_path / "in.png").read_bytes()
