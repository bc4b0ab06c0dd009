"""The sweep launcher."""

import pathlib
import shlex
import subprocess
import sys

import pytest

from configs import inputs, table1
from launch import sweep

ROOT = pathlib.Path(__file__).parents[2]


def test_points_are_the_files_sweep_times_the_seeds():
  found = sweep.points(str(ROOT / "configs/table1.py") + ":celeba_folder", [0, 1])
  assert len(found) == 22
  assert found[:2] == [{"alpha": 0.0, "seed": 0}, {"alpha": 0.0, "seed": 1}]
  assert [point["alpha"] for point in found[::2]] == list(table1.ALPHAS)
  assert sweep.points(str(ROOT / "configs/alpha04.py"), [3]) == [{"seed": 3}]


def test_every_point_has_a_folder_of_its_own():
  names = [sweep.name_of(point | {"seed": 0}) for point in inputs.sweep()]
  assert names[0] == "views=blindfold+mosaic+laplace,seed=0"
  assert len(set(names)) == 3


def test_a_missing_file_is_named():
  with pytest.raises(ValueError, match=r"configs/nothing\.py does not exist"):
    sweep.points("configs/nothing.py", [0])


def test_printed_commands_are_those_that_main_takes():
  line = [sys.executable, "-m", "launch.sweep", "--config=configs/inputs.py", "--", "--config.epochs=3"]
  done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True)
  first = done.stdout.splitlines()[0]
  assert "-m qm_vae.main --config=configs/inputs.py" in first
  words = shlex.split(first)
  assert "--config.views=('blindfold', 'mosaic', 'laplace')" in words
  assert words[-1] == "--config.epochs=3"
