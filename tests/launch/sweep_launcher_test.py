"""The sweep launcher."""

import pathlib
import shlex
import subprocess
import sys
import types

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
  assert any("--workdir=runs/inputs-sweep/views=" in word for word in words)


def test_runs_on_other_data_lie_elsewhere():
  assert sweep.default_out("configs/table1.py") == pathlib.Path("runs/table1-sweep")
  assert sweep.default_out("configs/table1.py:celeba_folder") == pathlib.Path("runs/table1-celeba_folder-sweep")


def local_runs(monkeypatch, tmp_path, fails):
  """Runs the launcher with two seeds whose runs are not started; returns what it hands to the merge."""
  merged = []
  monkeypatch.setattr(sweep.subprocess, "run", lambda line, **_: types.SimpleNamespace(returncode=int(fails(line))))
  monkeypatch.setattr(sweep.sweep, "write", lambda out, runs: merged.append((out, runs)) or len(runs))
  (tmp_path / "seed=7").mkdir()  # of an earlier command
  arguments = [f"--config={ROOT / 'configs/alpha04.py'}", "--runner=local", "--seeds=0,1", f"--out={tmp_path}"]
  return arguments, merged


def test_only_points_of_this_sweep_that_succeeded_are_merged(monkeypatch, tmp_path, capsys):
  arguments, merged = local_runs(monkeypatch, tmp_path, lambda line: f"--workdir={tmp_path / 'seed=1'}" in line)
  with pytest.raises(SystemExit, match="1 of 2 runs failed: seed=1"):
    sweep.main(arguments)
  assert merged == [(tmp_path, [tmp_path / "seed=0"])]
  assert "1 of 2 runs merged in" in capsys.readouterr().out


def test_when_every_run_failed_no_table_is_named(monkeypatch, tmp_path, capsys):
  arguments, _ = local_runs(monkeypatch, tmp_path, lambda line: True)
  with pytest.raises(SystemExit, match="2 of 2 runs failed"):
    sweep.main(arguments)
  assert "so nothing is merged" in capsys.readouterr().out
