"""Training against black boxes through the one loop: what reaches whom, kill and resume, budgets, failures."""

import dataclasses
import functools
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import offering
import optax
import pytest

from configs import black_box as black_box_config
from qm_vae import types
from qm_vae.data.augment import Augmentation
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.evaluate import black_box as evaluate_black_box
from qm_vae.experiments import run, schema
from qm_vae.experiments.black_box import BlackBoxParts, reserve
from qm_vae.io import records
from qm_vae.io.checkpoints import Checkpoints, digest
from qm_vae.losses import qm_vae
from qm_vae.models import generator
from qm_vae.models.vqvae import Preset
from qm_vae.quantizers import QUANTIZERS
from qm_vae.services import distil
from qm_vae.services.answers import Quality
from qm_vae.services.black_box import CLIENTS, Asking, BlackBox, Unavailable
from qm_vae.training import loop
from qm_vae.training.state import TO_HOST, Experiment, HostStopped, Split
from qm_vae.training.tasks import asking, black_box

# Its step takes seconds to compile; tests/training/tasks/asking_test.py has the host's part of it in milliseconds.
pytestmark = pytest.mark.slow

SIZE = 16  # the windows of the structural similarity need 11
SETTINGS = distil.Settings(questions=4, explored=2, doubt=0.0, delay=2, warmup=2, replay=16, rehearsed=6, decay=0.9)
QUALITIES = {"expression": Quality("classes", ("left", "right")), "face": Quality("values", ("level",), (0.05,))}


def side(images):
  """Labels: which half is brighter."""
  halves = images[:, :, : SIZE // 2].mean((1, 2, 3)), images[:, :, SIZE // 2 :].mean((1, 2, 3))
  return ["left" if one > other else "right" for one, other in zip(*halves, strict=True)]


def grey(images):
  """The mean level, nothing for dark pictures."""
  return [None if one < 80 else one / 255 for one in images.mean((1, 2, 3)).tolist()]


class TinyStudent:
  """Linear in the halves' means: enough for both services, and quick to compile."""

  @staticmethod
  def make():
    def init(key):
      return {"params": 0.1 * jax.random.normal(key, (3, 4)), "batch_stats": jnp.zeros(())}

    def apply(params, statistics, image, train, key):
      halves = [part.mean((1, 2, 3)) - 0.5 for part in jnp.split(image, 2, axis=2)]
      features = jnp.stack([*halves, jnp.ones(len(image))], 1)
      return features @ params, statistics + (1.0 if loop else 0.0)

    return distil.Student(init, apply)


def faces(num, seed):
  random = np.random.default_rng(seed)
  level = random.integers(0, 256, (num, 1, 2, 1))
  image = np.clip(level.repeat(SIZE, 1).repeat(SIZE // 2, 2) + random.integers(-30, 30, (num, SIZE, SIZE, 3)), 0, 255)
  return types.FaceSet(
    image=image.astype(np.uint8),
    mask=np.ones((num, SIZE, SIZE, 1), np.uint8),
    eyes=np.tile(np.float32([5, 6, 11, 6]), (num, 1)),
    box=np.tile(np.float32([0, 0, SIZE]), (num, 1)),
    identity=np.arange(num, dtype=np.int32),
    label=np.full(num, -1, np.int32),
    index=np.arange(num, dtype=np.int32),
    name=tuple(map(str, range(num))),
    classes=(),
    identities=(),
    missed=(),
  )


TRAIN, TEST = faces(18, 0), faces(5, 1)


class Frames:
  """The test faces as frames that hold nothing else."""

  def __getitem__(self, i):
    return types.Record(TEST.image[i], str(i))


COMPILE = loop.compile_task


@functools.cache  # one task, one compilation
def programs():
  return COMPILE(task(None), 6)


def task(host):
  deid = (DEIDENTIFIERS["mosaic"](),)
  vq = QUANTIZERS["vq"](num_codes=8, code_dim=4)
  return black_box.make(
    generator.make(deid, Preset(hidden=4, residual_hidden=2, residual_blocks=1), 4, vq, jnp.float32),
    QUALITIES,
    TinyStudent.make(),
    {"generator": optax.adam(1e-2), "student": optax.adam(1e-1)},
    host,
    SETTINGS,
    service_loss="cross_entropy",
    augment_faces=Augmentation(flip=0.5),
    augment_before_service=Augmentation(noise=0.01),
  )


def clients(trouble=None):
  """The two services; `trouble(images)` may raise before the first answers."""

  def ask_side(images):
    if trouble:
      trouble(images)
    return side(images)

  return {"expression": ask_side, "face": grey}


def host_of(made=None, *, retries=0, seen=None):
  made = made or clients()

  def open_host(workdir):
    how = Asking(batch_size=8, retries=retries, backoff=0.0)
    boxes = {
      name: BlackBox(
        name, made[name], quality, how, answers=workdir / "kept" / name, ledger=workdir / "black_box" / name
      )
      for name, quality in QUALITIES.items()
    }
    if seen is not None:
      seen.update(boxes)
    return asking.Host(boxes, delay=2, questions=4, batch_size=6, mirrored=True, reserve=reserve(len(TEST)))

  return open_host


def weights(service=1.0):
  one = jnp.float32(1)
  of_loss = qm_vae.LossWeights(jnp.float32(0.5), jnp.float32(0.25), jnp.float32(service))
  return black_box.LossWeights(of_loss, {"expression": one, "face": one}, jnp.float32(0))


def fit(workdir, monkeypatch, host=None, *, epochs=3, service=1.0):
  workdir.mkdir(exist_ok=True)
  monkeypatch.setattr(loop, "compile_task", lambda *_: programs())
  experiment = Experiment(
    task=task(host or host_of()),
    frozen={"views": ((),)},
    weights=weights(service),
    data=Split(TRAIN, TEST, None, 23, 0),
    seed=0,
    epochs=epochs,
    batch_size=6,
    evaluate_every=1,
    checkpoint_every=1,
    log_every=2,
    parts=None,
  )
  checkpoints = Checkpoints(workdir / "checkpoints")
  try:
    return jax.device_get(loop.fit(experiment, workdir, checkpoints))
  finally:
    checkpoints.close()


def without_speed(workdir, *more):
  left_out = ("images_per_second", "seconds", *more)
  return [{k: v for k, v in row.items() if k not in left_out} for row in records.read_rows(workdir)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """A run that nothing disturbs: (folder, its state, its boxes)."""
  seen = {}
  with pytest.MonkeyPatch.context() as patch:
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, fit(workdir, patch, host_of(seen=seen)), seen


def test_black_box_student_learns_fidelity_services_own(whole):
  """The student learns and its fidelity is the services own."""
  workdir, state, boxes = whole
  rows = records.read_rows(workdir)
  trained = [row for row in rows if row["split"] == "train"]
  assert trained[-1]["imitation"] < trained[0]["imitation"]
  # Two blind questions of every step but the last two have come back.
  expected = sum(2 * 0.81**i for i in range(7))
  np.testing.assert_allclose(state.model_state["fidelity"]["expression"]["n"], expected, rtol=1e-5)
  assert trained[0]["trust/expression"] == 0 < trained[-1]["fidelity/expression"] <= 1
  assert trained[0]["service"] == 0  # warm-up
  tested = [row for row in rows if row["split"] == "test"]
  assert [0 <= row["loss_rate/expression"] <= 1 for row in tested] == [True] * 3
  assert tested[-1]["queries/expression"] <= boxes["expression"].sent


def test_black_box_answers_belong_pictures_asked_about(whole):
  """Answers belong to the pictures that were asked about."""
  _, state, _ = whole
  memory = state.model_state["memory"]
  count = min(int(memory["count"]), len(memory["image"]))
  assert count == 16  # seven of nine steps, up to four each
  image, target = memory["image"][:count], memory["target"][:count]
  assert [("left", "right")[one] for one in target[:, :2].argmax(1)] == side(image)
  message = [None if one is None else np.float32(one) for one in grey(image)]
  assert [None if t == 0 else v for v, t in target[:, 2:].tolist()] == [
    None if one is None else pytest.approx(float(one)) for one in message
  ]


def test_black_box_service_dies_comes_back_costs(whole, tmp_path, monkeypatch):
  """A service that dies and comes back costs nothing."""
  asked = []

  def dies(images):
    asked.append(len(images))
    if len(asked) > 9:
      raise Unavailable("gone")

  with pytest.raises(HostStopped, match=r"(?s)'expression' does not answer after 1 tries: gone.*step \d+ is kept"):
    fit(tmp_path, monkeypatch, host_of(clients(dies)))
  (newest,) = Checkpoints(tmp_path / "checkpoints").steps()[-1:]
  assert 0 < newest < 9
  state = fit(tmp_path, monkeypatch)
  assert digest(state) == digest(whole[1])
  some = (
    "perplexity",
    "codes_used",
    "queries/expression",
    "queries/face",
  )  # of the part of the epoch after the stop alone
  assert without_speed(tmp_path, *some)[-2:] == without_speed(whole[0], *some)[-2:]


def test_black_box_evaluation_service_broke_off_made(whole, tmp_path, monkeypatch):
  """An evaluation that a service broke off is made up."""
  evaluate, epochs = asking.Host.evaluate, []

  def breaks_off_the_second(self, *arguments):
    epochs.append(len(epochs) + 1)
    if len(epochs) == 2:
      raise HostStopped("gone")
    return evaluate(self, *arguments)

  monkeypatch.setattr(asking.Host, "evaluate", breaks_off_the_second)
  with pytest.raises(HostStopped, match=r"gone\nThe state after step 6 is kept"):
    fit(tmp_path, monkeypatch)
  state = fit(tmp_path, monkeypatch)
  assert digest(state) == digest(whole[1])
  assert without_speed(tmp_path) == without_speed(whole[0])


def test_black_box_killed_run_asks_nothing_twice(whole, tmp_path, monkeypatch):
  """A killed run asks nothing twice."""
  fit(tmp_path, monkeypatch, epochs=2)
  seen = {}
  state = fit(tmp_path, monkeypatch, host_of(seen=seen))
  assert digest(state) == digest(whole[1])
  assert seen["expression"].sent == whole[2]["expression"].sent


def test_black_box_service_over_http_slow_fails(whole, tmp_path, monkeypatch):
  """A service over http that is slow fails hangs and dies."""
  random = np.random.default_rng(0)

  def over(address):
    return {"expression": CLIENTS["http"](address, allow_sending_faces=True, timeout=0.5), "face": grey}

  with offering.serving(lambda images: [[one == "left", one == "right"] for one in side(images)]) as (service, address):
    service.mode = "slow"
    service.plan = random.permutation(["error"] * 2 + ["malformed"] * 2 + ["hang"] + ["cut"] + ["slow"] * 9).tolist()
    service.plan += ["error"] * 99  # dead from here on
    with pytest.raises(
      HostStopped, match=r"(?s)'expression' does not answer after 5 tries.*status 500.*step \d+ is kept"
    ):
      fit(tmp_path, monkeypatch, host_of(over(address), retries=4))
    assert len(service.plan) >= 99 - 2 * 5, "it was asked on, beyond the question that was under way"
    newest = Checkpoints(tmp_path / "checkpoints").steps()[-1]
    service.plan = []
    state = fit(tmp_path, monkeypatch, host_of(over(address), retries=4))
  assert 0 < newest < 9 and digest(state) == digest(whole[1])


def test_black_box_report_run(whole, tmp_path, monkeypatch):
  """The report of a run."""
  config = black_box_config.get_config()
  config.judges, config.qualities, config.cache_dir = {}, ("expression", "face"), str(tmp_path / "cache")
  config.quality.expression.checkpoint = ""
  shutil.copy(whole[0] / "metrics.jsonl", tmp_path)
  deid = {"mosaic": DEIDENTIFIERS["mosaic"]()}
  one = task(host_of())
  vq = QUANTIZERS["vq"](num_codes=8, code_dim=4)
  made = generator.make(
    tuple(deid.values()), Preset(hidden=4, residual_hidden=2, residual_blocks=1), 4, vq, jnp.float32
  )
  budget = 0  # of every service; none at first

  def boxes(workdir):
    return {
      name: BlackBox(name, client, QUALITIES[name], Asking(1, budget=budget)) for name, client in clients().items()
    }

  parts = BlackBoxParts(made, deid, QUALITIES, boxes, {}, {}, TinyStudent.make())
  experiment = Experiment(
    one, {"views": ((),)}, weights(), Split(TRAIN, TEST, Frames(), 23, 0), 0, 3, 6, 1, 1, 2, parts
  )  # fmt: skip
  monkeypatch.setattr(run, "restore", lambda config, workdir: (experiment, whole[1]))
  report = evaluate_black_box.of_run(schema.view(config), tmp_path, "test")
  assert [row["name"] for row in report["methods"]] == ["identity", "blank", "aligned_mean", "mosaic", "qm_vae"]
  assert [one["name"] for one in report["services"]] == ["expression", "face"]
  for service in report["services"]:
    rates = {row["name"]: row["loss_rate"] for row in service["methods"]}
    assert rates["identity"]["value"] == 0 and set(rates) == {"identity", "blank", "aligned_mean", "mosaic", "qm_vae"}
    assert rates["qm_vae"]["n"] == len(TEST)
    # What the run itself found at its last evaluation, on the same outputs.
    assert rates["qm_vae"]["value"] == pytest.approx(service["queries_curve"][-1]["loss_rate"])
  page = (tmp_path / "report.html").read_text()
  assert "Loss rate by face itself" in page and "Look first" in page
  assert report["methods"][2]["face"]["skin"]["n"] == len(TEST)
  controls = report["controls"]
  budget = reserve(len(TEST))  # what training leaves
  report = evaluate_black_box.of_run(schema.view(config), tmp_path, "test")
  assert "mosaic (expression)" in report["not_measured"]["methods"] and report["controls"] == controls
  assert [one["queries"] for one in report["services"]] == [budget, budget]
  budget = len(TEST)  # the originals alone
  with pytest.raises(
    ValueError, match=r"expression.*needs its answers on qm_vae, identity, blank; .*quality.expression.budget"
  ):
    evaluate_black_box.of_run(schema.view(config), tmp_path, "test")


def _first():
  return jax.random.key(0), {"views": ((),)}, TRAIN.batch(np.arange(6)) | {"_mask": np.ones(6, np.float32)}


def test_black_box_generator_hears_only_trusted_student():
  """The generator hears only a trusted student."""
  key, frozen, batch = _first()
  batch |= {"answers": np.zeros((6, 2, 4), np.float32), "arrived": np.zeros((6, 4), np.float32)}
  batch |= {"answered": np.zeros(6, np.float32)}
  batch["answers"][:, :, 0] = 1

  def after_step(*, trusted, service, step=5):
    state = programs().init(*_first())
    fidelity = {name: {"agreed": jnp.float32(trusted), "n": jnp.ones(())} for name in QUALITIES}
    state = dataclasses.replace(state, step=jnp.int32(step), model_state=state.model_state | {"fidelity": fidelity})
    state, terms = programs().step(state, frozen, batch, weights(service), key)
    return digest(jax.device_get(state.params["generator"])), terms

  without, _ = after_step(trusted=1, service=0)
  assert after_step(trusted=0, service=1)[0] == without
  warming = after_step(trusted=1, service=0, step=1)[0]
  assert after_step(trusted=1, service=1, step=1)[0] == warming
  heard, terms = after_step(trusted=1, service=1)
  assert heard != without
  assert set(terms[TO_HOST]) == {"image", "asked"} and terms[TO_HOST]["image"].shape == (4, SIZE, SIZE, 3)
  assert bool(terms[TO_HOST]["asked"][:2].all())
