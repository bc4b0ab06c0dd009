"""The command line from end to end on the smoke configuration: services, training, kill, resume, report."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from configs import default
from qm_vae.evaluate import evaluate
from qm_vae.experiments import config_file, run, schema
from qm_vae.io import networks, records
from qm_vae.io.checkpoints import Checkpoints, digest
from qm_vae.training.state import State

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
  return tmp_path_factory.mktemp("home")


def command(home, workdir, *flags, config="configs/smoke.py"):
  # These runs are long enough that optimised programs (see conftest.py) save more time than they cost.
  env = os.environ | {"XDG_CACHE_HOME": str(home), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
  env["JAX_ENABLE_COMPILATION_CACHE"] = "true"  # in `home`; what one start compiled the next one takes
  line = [sys.executable, "-m", "qm_vae.main", f"--config={config}", f"--workdir={workdir}", *flags]
  return line, {"env": env, "cwd": ROOT, "text": True}


def call(*arguments, **keywords):
  line, options = command(*arguments, **keywords)
  return subprocess.run(line, capture_output=True, **options, check=False)


@pytest.fixture(scope="module")
def finished(home):
  workdir = home / "finished"
  done = call(home, workdir)
  assert done.returncode == 0, done.stderr[-3000:]
  assert "report.html" in done.stdout
  (home / "finished.txt").write_text(done.stdout)
  (home / "finished.err").write_text(done.stderr)
  return workdir


def report(workdir):
  return json.loads((workdir / "report.json").read_text())


def state_digest(workdir):
  experiment, state = run.restore(config_file.load(workdir), workdir)
  del experiment
  return digest(state)


def test_main_report_holds_controls_judges_views(finished):
  """The report holds controls judges views and the run itself."""
  found = report(finished)
  assert [m["name"] for m in found["methods"]] == [
    "identity", "blank", "aligned_mean", "blindfold", "mosaic", "laplace", "cartoon", "qm_vae"
  ]  # fmt: skip
  identity, blank, *_, qm_vae = found["methods"]
  assert identity["loss_rate"]["value"] == 0
  assert identity["pipeline_loss_rate"]["value"] <= 0.5  # resizing to 32 pixels and back costs some answers
  assert identity["psnr"]["value"] is None  # infinite: the images are equal
  assert blank["pipeline_no_face"]["value"] == 1
  assert qm_vae["loss_rate"]["n"] == found["data"]["test"]["n"]
  assert qm_vae["judges"][0]["name"] == "second" == found["judges"][0]["name"]
  assert not found["controls"]["void"], found["controls"]["reasons"]
  assert found["service"]["constant_answer"]["value"] <= blank["loss_rate"]["value"]
  assert found["service"]["sha256"] != found["judges"][0]["sha256"]
  assert found["data"]["people_on_both_sides"] == 0
  assert found["gap"]["judge"] == "second"
  assert [point["epoch"] for point in found["curve"]] == [1, 2]
  assert found["data"]["train"]["n"] + found["data"]["test"]["n"] + len(found["data"]["missed"]) == 84
  page = (finished / "report.html").read_text()
  assert f"{qm_vae['loss_rate']['value']:.3f}"[:4] in page


def test_main_tells_rates_as_it_goes_and_at_its_end(home, finished):
  """Rates are told at every evaluation, a first report is written early, and the rates end the output."""
  said = home / "finished.txt"
  lines = said.read_text().splitlines()
  loss = report(finished)["methods"][-1]["loss_rate"]
  assert lines[-4].startswith("Loss rate: ") and f"n = {loss['n']})" in lines[-4]
  assert lines[-3].startswith("Judge second: ") and lines[-2].startswith("Privacy: The strongest attacker")
  assert lines[-1] == f"Report: {finished / 'report.html'}"
  progress = (home / "finished.err").read_text()
  assert "epoch 1 of 2: loss rate " in progress and "epoch 2 of 2: loss rate " in progress
  assert f"First report, after epoch 1 of 2: {finished / 'early' / 'report.html'}" in progress
  early = json.loads((finished / "early" / "report.json").read_text())
  assert early["training"]["early"] == 1 and early["privacy"] is None
  assert early["training"]["steps"] < report(finished)["training"]["steps"]
  assert "Early report, after epoch 1 of 2" in (finished / "early" / "report.html").read_text()


def test_main_privacy_measured_people_trained_nothing(finished):
  """Privacy is measured on people who trained nothing."""
  privacy = report(finished)["privacy"]
  assert privacy["controls"]["void"] == []
  names = [row["name"] for row in privacy["methods"]]
  assert names == ["identity", "blank", "aligned_mean", "blindfold", "mosaic", "laplace", "cartoon", "qm_vae", "union"]
  assert all(row["headline"]["rank_1"]["n"] == privacy["people"]["probes"] for row in privacy["methods"])
  experiment, _ = run.restore(config_file.load(finished), finished)
  test = set(experiment.data.test.name)
  assert set(privacy["split"]["gallery"]) <= test and set(privacy["split"]["probe"]) <= test
  # The recogniser was trained on other people, and kept.
  (path,) = config_file.load(finished).privacy.embedders
  assert privacy["embedders"][0]["sha256"] == networks.read_meta(path)["sha256"]
  assert networks.read_meta(path)["test_nearest"] > 0


def test_main_metrics_finite_complete(finished):
  """Metrics are finite and complete."""
  rows = records.read_rows(finished)
  train = [row for row in rows if row["split"] == "train"]
  assert {"loss", "service", "mse", "codebook", "commitment", "images_per_second", "seconds"} <= set(train[0])
  assert all(np.isfinite(value) for row in rows for value in row.values() if not isinstance(value, str))


@pytest.mark.slow  # train_test has the same without the command line
def test_main_killed_resumed_equals_uninterrupted(home, finished):
  """Killed and resumed equals uninterrupted."""
  workdir = home / "killed"
  line, options = command(home, workdir)
  process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
  deadline = time.monotonic() + 200
  while not list((workdir / "checkpoints").glob("[0-9]")) and time.monotonic() < deadline:
    time.sleep(0.02)
  assert list((workdir / "checkpoints").glob("[0-9]")), "no checkpoint in time: nothing to go on from"
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (workdir / "report.json").exists(), "the run was over before it was killed"
  done = call(home, workdir)
  assert done.returncode == 0, done.stderr[-3000:]
  assert state_digest(workdir) == state_digest(finished)
  one, other = report(workdir), report(finished)
  assert one["methods"] == other["methods"]
  assert one["codebook"] == other["codebook"]
  assert [row["headline"] for row in one["privacy"]["methods"]] == [
    row["headline"] for row in other["privacy"]["methods"]
  ]
  assert one["provenance"] == other["provenance"]


def test_main_service_cannot_judge_itself(home, finished):
  """A service cannot judge itself."""
  own = config_file.load(finished).service.checkpoint
  flags = (f"--config.service.checkpoint={own}", f"--config.judges.second.checkpoint={own}")
  done = call(home, home / "self", *flags)
  assert done.returncode == 1
  assert "judges.second.checkpoint is the same network as config.service.checkpoint" in done.stderr


def test_main_unfinished_run_not_reported(home, finished, tmp_path):
  """An unfinished run is not reported."""
  copy = tmp_path / "copy"
  shutil.copytree(finished, copy)
  shutil.rmtree(sorted((copy / "checkpoints").glob("[0-9]"))[-1])
  with pytest.raises(ValueError, match="is not finished"):
    evaluate(copy, command="too early")


def begun(workdir, **changes):
  config = default.get_config()
  config.update(changes)
  (workdir / "checkpoints" / "6").mkdir(parents=True, exist_ok=True)
  run.claim(config, workdir)
  return config_file.load(workdir)


def test_main_run_go_more_epochs(tmp_path):
  """A run may go on for more epochs."""
  begun(tmp_path, epochs=20)
  assert begun(tmp_path, epochs=40).epochs == 40
  with pytest.raises(ValueError, match="epochs: 40 there, 30 now"):
    begun(tmp_path, epochs=30)


def test_main_more_epochs_refused_learning_rate(tmp_path):
  """More epochs are refused where the learning rate hangs on them."""
  begun(tmp_path, epochs=20, schedule="cosine")
  with pytest.raises(ValueError, match="epochs: 20 there, 40 now"):
    begun(tmp_path, epochs=40, schedule="cosine")


def test_main_network_not_noticed(finished, tmp_path):
  """A network that was there and is not is noticed."""
  copy = tmp_path / "copy"
  shutil.copytree(finished, copy)
  message = json.loads((copy / "provenance.json").read_text())
  message["networks"]["deid.ugatit"] = "of a view that was begun with"
  (copy / "provenance.json").write_text(json.dumps(message))
  with pytest.raises(ValueError, match=r"deid\.ugatit changed since the run"):
    evaluate(copy, command="another view")


def test_main_data_changed_noticed(finished, tmp_path):
  """Data that changed are noticed."""
  copy = tmp_path / "copy"
  shutil.copytree(finished, copy)
  message = json.loads((copy / "provenance.json").read_text())
  (copy / "provenance.json").write_text(json.dumps(message | {"train": "0"}))
  with pytest.raises(ValueError, match="train changed since the run"):
    evaluate(copy, command="other data")


@pytest.mark.slow
def test_main_finished_run_not_trained_again(home, finished):
  """A finished run is not trained again and gives the same report."""
  rows = records.read_rows(finished)
  before = report(finished)
  (finished / "report.json").unlink()
  done = call(home, finished)  # a program like the first: with this one's compiler flags the last digits differ
  assert done.returncode == 0, done.stderr[-3000:]
  assert records.read_rows(finished) == rows
  assert report(finished)["methods"] == before["methods"]


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--config.alpha=0.7"], ("alpha: 0.4 there, 0.7 now", "--workdir")),
    (["--config.alpha=7"], ("config.alpha = 7", "from 0 to 1")),
    pytest.param(["--config.alhpa=0.4"], ("alhpa",), marks=pytest.mark.slow),
    pytest.param(["--config.epochs=many"], ("epochs",), marks=pytest.mark.slow),
  ],
)
def test_main_cannot_run_refused_name(home, finished, flags, message):
  """What cannot run is refused by name."""
  done = call(home, finished, *flags)
  assert done.returncode != 0
  for words in message:
    assert words in done.stderr
  if "config." in message[0] or "there" in message[0]:
    assert "Traceback" not in done.stderr


def test_main_real_faces_without_service_tell(home, tmp_path):
  """Real faces without a service tell how to get one."""
  done = call(home, tmp_path / "run", "--config.data.root=" + str(tmp_path), config="configs/alpha04.py:celeba_folder")
  assert done.returncode == 1
  for words in ("service.checkpoint", "qm_vae.convert", "configs/expression.py"):
    assert words in done.stderr


def test_main_missing_experiment_named_exist(home):
  """A missing experiment is named with those that exist."""
  done = call(home, home / "none", config="configs/nope.py")
  assert done.returncode == 1
  assert "configs/nope.py does not exist" in done.stderr and " alpha04," in done.stderr


def test_main_help_teaches(home):
  """Help teaches."""
  line, options = command(home, home)
  done = subprocess.run([*line[:3], "--help"], capture_output=True, **options, check=False)
  assert "configs/alpha04.py:celeba_folder" in done.stdout
  assert "--workdir" in done.stdout


def test_main_checkpoint_holds_no_frozen_weights(finished):
  """The checkpoint holds no frozen weights."""
  checkpoints = Checkpoints(finished / "checkpoints")
  assert checkpoints.steps()
  config = config_file.load(finished)
  assert schema.flatten(config)["service.checkpoint"]
  experiment, state = run.restore(config, finished)
  assert isinstance(state, State)
  assert set(state.params) == {"encoder", "quantizer", "decoder"}
  assert experiment.frozen["service"]


@pytest.mark.slow
def test_main_members_grid_runs_like_any(home, finished):
  """Members of a grid are runs like any other."""
  workdir = home / "grid"
  done = call(home, workdir, '--members={"as ever": {}, "other": {"alpha": 1.0}, "late": {"seed": 1}}')
  assert done.returncode == 0, done.stderr[-3000:]
  assert "3 runs train as one program from step 0 on." in done.stdout
  message = report(workdir / "as ever")
  here, there = (Checkpoints(folder / "checkpoints") for folder in (workdir / "as ever", finished))
  one, other = here.read(), there.read()
  here.close()
  there.close()
  assert one.keys() == other.keys()
  # Adam makes a step of the whole rate out of any rounding of a gradient near 0: a run that starts one unit in the last
  # place away is 2e-4 away after these two steps.
  params = [name for name in one if name.startswith(".params")]
  apart = sum(np.sum(np.square(one[name] - other[name], dtype=float)) for name in params)
  assert apart < 1e-6 * sum(np.sum(np.square(other[name], dtype=float)) for name in params)
  assert (workdir / "as ever" / "config.json").read_text() == (finished / "config.json").read_text()
  assert message["provenance"] == report(finished)["provenance"]
  here, there = records.read_rows(workdir / "as ever"), records.read_rows(finished)
  assert [list(row) for row in here] == [list(row) for row in there]
  np.testing.assert_allclose([row.get("loss", 0) for row in here], [row.get("loss", 0) for row in there], rtol=1e-4)
  for name in ("other", "late"):
    assert not report(workdir / name)["controls"]["void"]
  config, seed = report(workdir / "other")["config"], report(workdir / "late")["config"]["seed"]
  assert config["alpha"] == 1.0 and seed == 1
  again = call(home, workdir / "other", "--config.alpha=1.0")  # alone now: nothing is left to train
  assert again.returncode == 0, again.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(
  ("members", "message"),
  [
    ("alpha", "is no JSON of the form"),
    ("{}", "names no run"),
    ('{"a": {"alhpa": 1.0}}', "a: 'alhpa' is no key; qm_vae/experiments/schema/config.py lists them all"),
    ('{"a": {}, "b": {"epochs": 3}}', "config.epochs shapes the program and differs, 2 and 3"),
  ],
)
def test_main_members_no_grid_refused(home, finished, members, message):
  """Members that are no grid are refused."""
  done = call(home, home / "no-grid", f"--members={members}")
  assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
