"""The sweep launcher."""

import json
import pathlib
import shlex
import subprocess
import sys
import types

import pytest

from configs import inputs, table1
from launch import cluster, sweep
from qm_vae.report import sweep as report_sweep

ROOT = pathlib.Path(__file__).parents[2]


def test_sweep_points_files_sweep_times_seeds():
  """Points are the files sweep times the seeds."""
  found = sweep.points(str(ROOT / "configs/table1.py") + ":celeba_folder", [0, 1])
  assert len(found) == 22
  assert found[:2] == [{"alpha": 0.0, "seed": 0}, {"alpha": 0.0, "seed": 1}]
  assert [point["alpha"] for point in found[::2]] == list(table1.ALPHAS)
  assert sweep.points(str(ROOT / "configs/alpha04.py"), [3]) == [{"seed": 3}]


def test_sweep_every_point_folder_own():
  """Every point has a folder of its own."""
  names = [sweep.name_of(point | {"seed": 0}) for point in inputs.sweep()]
  assert names[0] == "views=blindfold+mosaic+laplace,seed=0"
  assert len(set(names)) == 3


def test_sweep_missing_file_named():
  """A missing file is named."""
  with pytest.raises(ValueError, match=r"configs/nothing\.py does not exist"):
    sweep.points("configs/nothing.py", [0])


def test_sweep_printed_commands_main_takes():
  """Printed commands are those that main takes."""
  line = [sys.executable, "-m", "launch.sweep", "--config=configs/inputs.py", "--", "--config.epochs=3"]
  done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True)
  first = done.stdout.splitlines()[0]
  assert "-m qm_vae.main --config=configs/inputs.py" in first
  words = shlex.split(first)
  assert "--config.views=('blindfold', 'mosaic', 'laplace')" in words
  assert words[-1] == "--config.epochs=3"
  assert any("--workdir=runs/inputs-sweep/views=" in word for word in words)


def test_sweep_runs_other_data_lie_elsewhere():
  """Runs on other data lie elsewhere."""
  assert sweep.default_out("configs/table1.py") == pathlib.Path("runs/table1-sweep")
  assert sweep.default_out("configs/table1.py:celeba_folder") == pathlib.Path("runs/table1-celeba_folder-sweep")


def local_runs(monkeypatch, tmp_path, fails):
  """Runs the launcher with two seeds whose runs are not started; returns what it hands to the merge."""
  merged = []
  monkeypatch.setattr(sweep.subprocess, "run", lambda line, **_: types.SimpleNamespace(returncode=int(fails(line))))
  monkeypatch.setattr(report_sweep, "write", lambda out, runs: merged.append((out, runs)) or len(runs))
  (tmp_path / "seed=7").mkdir()  # of an earlier command
  arguments = [f"--config={ROOT / 'configs/alpha04.py'}", "--runner=local", "--seeds=0,1", f"--out={tmp_path}"]
  return arguments, merged


def test_sweep_only_points_sweep_succeeded_merged(monkeypatch, tmp_path, capsys):
  """Only points of this sweep that succeeded are merged."""
  arguments, merged = local_runs(monkeypatch, tmp_path, lambda line: f"--workdir={tmp_path / 'seed=1'}" in line)
  with pytest.raises(SystemExit, match="1 of 2 runs failed: seed=1"):
    sweep.main(arguments)
  assert merged == [(tmp_path, [tmp_path / "seed=0"])]
  assert "1 of 2 runs merged in" in capsys.readouterr().out


def test_sweep_every_run_failed_no_table(monkeypatch, tmp_path, capsys):
  """When every run failed no table is named."""
  arguments, _ = local_runs(monkeypatch, tmp_path, lambda line: True)
  with pytest.raises(SystemExit, match="2 of 2 runs failed"):
    sweep.main(arguments)
  assert "so nothing is merged" in capsys.readouterr().out


def test_sweep_points_differ_weights_seed_one():
  """Points that differ in weights and seed are one program."""
  groups, apart = sweep.programs(sweep.points(str(ROOT / "configs/table1.py"), [0, 1]))
  assert [len(group) for group in groups] == [22] and apart == []
  line = sweep.grid_command("configs/table1.py", groups[0][::2], pathlib.Path("out"), ["--config.epochs=3"])
  assert line[3:6] == ["--config=configs/table1.py", "--workdir=out", "--config.seed=0"]
  assert line[6] == "--config.epochs=3"
  own = json.loads(line[7].removeprefix("--members="))
  assert own["alpha=0.4,seed=0"] == {"alpha": 0.4} and len(own) == 11


def test_sweep_keys_shape_program_make_programs():
  """Keys that shape the program make programs of their own."""
  groups, apart = sweep.programs([{"seed": 0, "epochs": 1}, {"seed": 1, "epochs": 1}, {"seed": 0, "epochs": 2}])
  assert [len(group) for group in groups] == [2, 1] and apart == ["epochs"]
  alone = sweep.grid_command("configs/table1.py", groups[1], pathlib.Path("out"), [])
  assert "--workdir=out/seed=0,epochs=2" in alone and not any("--members" in word for word in alone)
  weight = "terms.smoothness.weight"
  assert sweep.programs([{weight: 0.0}, {weight: 0.1}, {weight: 0.2}]) == (
    [[{weight: 0.0}], [{weight: 0.1}, {weight: 0.2}]],
    [weight],
  )


def test_sweep_grid_points_new_report_went(monkeypatch, tmp_path, capsys):
  """Of a grid the points with a new report went well."""
  arguments, merged = local_runs(monkeypatch, tmp_path, lambda line: True)
  for seed in (0, 1):
    (tmp_path / f"seed={seed}").mkdir(exist_ok=True)
    (tmp_path / f"seed={seed}" / "report.json").write_text("of an earlier command")

  def train(line, **_):
    assert len(json.loads(line[-1].removeprefix("--members="))) == 2
    (tmp_path / "seed=1" / "report.json").unlink()
    (tmp_path / "seed=1" / "report.json").write_text("new")
    return types.SimpleNamespace(returncode=1)

  monkeypatch.setattr(sweep.subprocess, "run", train)
  with pytest.raises(SystemExit, match="1 of 2 runs failed: seed=0"):
    sweep.main([*arguments, "--runner=grid"])
  assert merged == [(tmp_path, [tmp_path / "seed=1"])]


def test_sweep_task_no_grid_trains_one(monkeypatch, tmp_path, capsys):
  """A task that is no grid trains one by one."""
  arguments, merged = local_runs(monkeypatch, tmp_path, lambda line: False)
  sweep.main([f"--config={ROOT / 'configs/expression.py'}", *arguments[1:], "--runner=grid"])
  assert "task 'classifier' train one by one" in capsys.readouterr().out
  assert len(merged[0][1]) == 2


def test_sweep_no_more_jobs_run_time(tmp_path):
  """No more than jobs run at a time and each has its log."""
  code = "import pathlib, sys, time; p = pathlib.Path(sys.argv[1]); p.touch(); time.sleep(0.15); "
  code += "print(len(list(p.parent.glob('*.on')))); p.unlink(); sys.exit(sys.argv[1].endswith('3.on'))"
  lines = {tmp_path / f"run{i}": [sys.executable, "-S", "-c", code, str(tmp_path / f"{i}.on")] for i in range(4)}
  assert sweep.run_locally(lines, 2) == [True, True, True, False]
  at_once = [int((workdir / "log.txt").read_text()) for workdir in lines]
  assert 1 <= max(at_once) <= 2


def test_sweep_merge_takes_finished_names_rest(monkeypatch, tmp_path):
  """Merge takes what is finished and names the rest."""
  arguments, merged = local_runs(monkeypatch, tmp_path, lambda line: pytest.fail("nothing is run"))
  (tmp_path / "seed=1").mkdir()
  (tmp_path / "seed=1" / "report.json").touch()
  with pytest.raises(SystemExit, match="1 of 2 runs have no report: seed=0"):
    sweep.main([*arguments, "--runner=merge"])
  assert merged == [(tmp_path, [tmp_path / "seed=1"])]


def test_sweep_slurm_without_submitit_says_install(monkeypatch, tmp_path):
  """Slurm without submitit says what to install."""
  monkeypatch.setitem(sys.modules, "submitit", None)
  with pytest.raises(SystemExit, match=r"needs submitit: pip install -r requirements-slurm\.txt"):
    sweep.main([f"--config={ROOT / 'configs/alpha04.py'}", "--runner=slurm", f"--out={tmp_path}"])


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_sweep_jobs_counted(jobs, capsys):
  """Jobs are counted."""
  with pytest.raises(SystemExit):
    sweep.main(["--config=configs/alpha04.py", f"--jobs={jobs}"])
  assert "an integer, at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_sweep_submitted_commands_awaited_failures_seen(tmp_path):
  """Submitted commands are awaited and failures seen."""
  pytest.importorskip("submitit", reason="requirements-slurm.txt is not installed")
  marks = [tmp_path / "0", tmp_path / "1"]
  lines = [[sys.executable, "-c", f"open({str(mark)!r}, 'x'); assert {mark.name}"] for mark in marks]
  printed = []
  assert cluster.run(lines, tmp_path / "slurm", cluster="local", tell=printed.append) == [False, True]
  assert all(mark.exists() for mark in marks) and "Submitted 2 jobs" in printed[0]


@pytest.mark.slow
def test_sweep_machine_without_slurm_told_apart(tmp_path):
  """A machine without slurm is told apart."""
  pytest.importorskip("submitit", reason="requirements-slurm.txt is not installed")
  with pytest.raises(ValueError, match="elsewhere take local"):
    cluster.run([["true"]], tmp_path)
