"""Writers of metrics: off by default, told in one form, silent towards the outside, and named where one is missing."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

from qm_vae.errors import InputError
from qm_vae.experiments import schema, settings
from qm_vae.io import records, writers
from qm_vae.options import declared, trait

ROOT = pathlib.Path(__file__).parents[2]
PICTURE = np.full((4, 6, 3), 0.5, np.float32)


class Heard:
  """A writer that keeps what it is told; opened by `make`."""

  def __init__(self):
    self.scalars, self.images, self.closed = [], [], False

  def write_scalars(self, step, scalars):
    self.scalars.append((step, dict(scalars)))

  def write_images(self, step, images):
    self.images.append((step, {name: image.shape for name, image in images.items()}))

  def close(self):
    self.closed = True


def test_writers_off_by_default(tmp_path):
  """A config without further keys opens none, and wants no pictures."""
  choice = settings.writers_of(schema.Config())
  assert choice.names == () and not choice.takes_pictures and choice.open(tmp_path) == []
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", writers.WRITERS.names())
def test_writers_declare_their_package_and_send_nothing_unasked(name):
  """Each says which package it needs and how that is installed; where its options say nothing, it stays offline."""
  factory = writers.WRITERS[name]
  assert trait(factory, "package") and trait(factory, "remedy").startswith("pip install ")
  defaults = {option: one.default for option, one in declared(factory).items()}
  assert defaults.get("mode", "offline") == "offline" and not defaults.get("uri") and not defaults.get("pictures")


@pytest.mark.parametrize("name", writers.WRITERS.names())
def test_writers_missing_package_named(name, monkeypatch):
  """A writer whose package is not installed is refused by name with its remedy, before anything is trained."""
  monkeypatch.setattr(importlib.util, "find_spec", lambda package, *rest: None)
  config = schema.config_dict(schema.Config(log=schema.config.Log(writers=(name,))))
  with pytest.raises(InputError, match=rf"config.log.writers has '{name}'.*pip install"):
    settings.writers_of(config).check()


def test_writers_get_rows_and_pictures(tmp_path, monkeypatch):
  """A registered writer gets the rows' values by split, and pictures; metrics.jsonl is as without it."""
  heard = Heard()
  table = writers.Registry("metric writer", {})
  make = lambda workdir, hparams, **options: heard
  make.traits = {"package": "json", "remedy": "", "pictures": True}
  table.register("heard", make)
  monkeypatch.setattr(writers, "WRITERS", table)
  one = records.Writer(tmp_path, choice=writers.Choice(("heard",)))
  assert one.wants_images
  one.scalars(3, "train", {"loss": 0.5}, epoch=1)
  one.image(3, "grid", PICTURE)
  one.close()
  assert heard.scalars == [(3, {"train/loss": 0.5})] and heard.images == [(3, {"grid": (4, 6, 3)})] and heard.closed
  assert records.read_rows(tmp_path) == [{"step": 3, "split": "train", "epoch": 1, "loss": 0.5}]


def test_writers_tensorboard_files(tmp_path):
  """TensorBoard's event files hold scalars and pictures."""
  one = records.Writer(tmp_path, choice=writers.Choice(("tensorboard",)))
  assert one.wants_images
  one.scalars(1, "train", {"loss": 0.5})
  one.image(1, "grid", PICTURE)
  one.close()
  (events,) = (tmp_path / "tensorboard").iterdir()
  assert b"train/loss" in events.read_bytes() and b"grid" in events.read_bytes()


def test_writers_are_told_no_paths():
  """The config that writers are told names no file of this machine, nor themselves."""
  config = schema.Config(alpha=0.3, cache_dir="/home/somebody/cache", log=schema.config.Log(writers=("wandb",)))
  config.data.root, config.recognisers = "/home/somebody/faces", ("/home/somebody/network",)
  hparams = settings.writers_of(config).hparams
  assert hparams["alpha"] == 0.3 and "somebody" not in str(hparams)
  assert not [key for key in hparams if key.startswith("log.")]


def fake_wandb(told):
  """A module that notes what it is asked."""

  class Run:
    def define_metric(self, name, step_metric):
      told.append(("metric", name, step_metric))

    def log(self, values):
      told.append(("log", {key: value if key != "grid" else value.shape for key, value in values.items()}))

    def finish(self):
      told.append(("finish",))

  made = types.ModuleType("wandb")
  made.Settings = dict
  made.Image = lambda array: array
  made.init = lambda **given: (told.append(("init", given)), Run())[1]
  return made


def test_writers_wandb_offline_without_code_or_pictures(tmp_path, monkeypatch):
  """By default W&B is offline, keeps no code and gets no picture; a resumed run has the same number."""
  told = []
  monkeypatch.setitem(sys.modules, "wandb", fake_wandb(told))
  for _ in range(2):
    one = writers.WRITERS["wandb"](tmp_path / "run", {"alpha": 0.4})
    one.write_scalars(3, {"train/loss": 0.5})
    one.write_images(3, {"grid": PICTURE})
    one.close()
  assert [row[0] for row in told] == ["init", "metric", "log", "finish"] * 2
  given = told[0][1]
  assert given["mode"] == "offline" and given["config"] == {"alpha": 0.4} and given["dir"] == str(tmp_path / "run")
  assert given["settings"] == {"save_code": False, "disable_git": True, "console": "off"}
  assert given["id"] == told[4][1]["id"] and told[2][1] == {"step": 3, "train/loss": 0.5}
  assert os.environ["WANDB_ERROR_REPORTING"] == "false"
  with_pictures = writers.WRITERS["wandb"](tmp_path / "run", {}, pictures=True)
  with_pictures.write_images(3, {"grid": PICTURE})
  assert told[-1] == ("log", {"step": 3, "grid": (4, 6, 3)})


# What the real packages ask the network for while a run is written; one line each.
LISTENING = """
import sys
import numpy as np
def hook(event, arguments):
  if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
    print("asked", arguments[0] if event == "socket.getaddrinfo" else arguments[1], flush=True)
sys.addaudithook(hook)
from qm_vae.io import writers
for _ in range(2):  # the second time resumes
  one = writers.WRITERS[sys.argv[1]](sys.argv[2], {"alpha": 0.4}, pictures=True)
  for step in (1, 2):
    one.write_scalars(step, {"train/loss": 0.5 / step})
  one.write_images(2, {"grid": np.full((4, 6, 3), 0.5, np.float32)})
  one.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "found"), [("wandb", "wandb/*/*.wandb"), ("mlflow", "mlflow/*/*/metrics/train/loss")])
def test_writers_real_package_stays_offline(name, found, tmp_path):
  """The real package writes below the run's folder, resumes, and looks up no address."""
  pytest.importorskip(name, reason=f"requirements-{name}.txt is not installed")
  environment = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "MLFLOW"))}
  done = subprocess.run(
    [sys.executable, "-c", LISTENING, name, str(tmp_path / "run")],
    cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr[-3000:]
  assert "asked" not in done.stdout
  assert list((tmp_path / "run").glob(found))
  if name == "mlflow":
    (kept,) = (tmp_path / "run").glob(found)
    assert [line.split()[1:] for line in kept.read_text().splitlines()] == [["0.5", "1"], ["0.25", "2"]] * 2
