"""The loop, on a task small enough to reason about."""

import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import experiment, faces, fit, rows_without_speed

from qm_vae.io import records
from qm_vae.io.checkpoints import Checkpoints, OtherNetwork, _label_digest, digest
from qm_vae.training import interrupt, logbook, loop
from qm_vae.training.state import Split, State


def test_loop_resumed_equals_uninterrupted_bit_bit(tmp_path):
  """Resumed equals uninterrupted bit for bit."""
  whole = fit(tmp_path / "whole")
  fit(tmp_path / "parts", epochs=2)
  # What a kill in the middle of epoch 3 leaves behind: rows past the last checkpoint, the last one cut short.
  with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
    file.write('{"step": 8, "split": "train", "loss": 1.0}\n{"step": 9, "spl')
  resumed = fit(tmp_path / "parts")
  assert int(resumed.step) == 12
  assert digest(resumed) == digest(whole)
  assert rows_without_speed(tmp_path / "parts") == rows_without_speed(tmp_path / "whole")


def test_loop_rows_hold_trained_tested(tmp_path):
  """Rows hold what was trained and tested."""
  fit(tmp_path)
  rows = records.read_rows(tmp_path)
  assert [(r["step"], r["split"]) for r in rows[:3]] == [(2, "train"), (3, "train"), (3, "test")]
  assert rows[2]["n"] == 6
  assert "codes_used" not in rows[0]
  assert rows[1]["codes_used"] == 1.0  # all four residues occur among 24 identities
  assert rows[-1]["error"] < rows[2]["error"]


def test_loop_calls_after_every_evaluation(tmp_path):
  """After every evaluation its epoch, state and terms are handed over, those that metrics.jsonl has."""
  found = []
  checkpoints = Checkpoints(tmp_path / "checkpoints")
  try:
    loop.fit(
      experiment(epochs=3),
      tmp_path,
      checkpoints,
      after_test=lambda epoch, state, result: found.append((epoch, int(state.step), result["error"])),
    )
  finally:
    checkpoints.close()
  rows = [row for row in records.read_rows(tmp_path) if row["split"] == "test"]
  assert found == [(row["epoch"], row["step"], row["error"]) for row in rows] and len(found) == 3


def test_loop_evaluation_counts_every_face_once(tmp_path):
  """Evaluation counts every face once."""
  state = fit(tmp_path, epochs=1)
  found = faces(6, seed=1).image / 255
  expected = np.mean((found - state.params) ** 2)  # six faces in a batch of eight: two of padding
  # float32 means of 48 values: some units in the last place
  np.testing.assert_allclose(records.read_rows(tmp_path)[-1]["error"], expected, rtol=1e-5)


def test_loop_not_finite_names_step_term(tmp_path):
  """Not finite names step and term and keeps the checkpoint before."""
  with pytest.raises(logbook.NotFinite, match=r"step 8: the term 'loss' is nan"):
    fit(tmp_path, poison=7)
  assert Checkpoints(tmp_path / "checkpoints").steps() == [3, 6]


def test_loop_update_not_finite_neither_kept(tmp_path):
  """An update that is not finite is neither kept nor judged."""
  with pytest.raises(logbook.NotFinite, match="step 6"):
    fit(tmp_path, poison_update=5)
  assert Checkpoints(tmp_path / "checkpoints").steps() == [3]
  assert [row["step"] for row in records.read_rows(tmp_path) if row["split"] == "test"] == [3]


def test_loop_damaged_newest_checkpoint_named_one(tmp_path):
  """A damaged newest checkpoint is named and the one before used."""
  whole = fit(tmp_path / "whole")
  fit(tmp_path / "hurt")
  newest = tmp_path / "hurt" / "checkpoints" / "12"
  for file in [p for p in newest.rglob("*") if p.is_file() and p.parent.name == "d"]:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
  with pytest.warns(UserWarning, match=r"checkpoints/12 is damaged.*damaged-12"):
    again = fit(tmp_path / "hurt")
  assert digest(again) == digest(whole)
  assert (tmp_path / "hurt" / "checkpoints" / "damaged-12").is_dir()


@pytest.mark.parametrize("hurt", ["empty", "truncated"])
def test_loop_empty_truncated_checkpoint_passed_over(tmp_path, hurt):
  """An empty or truncated checkpoint is passed over."""
  fit(tmp_path)
  newest = tmp_path / "checkpoints" / "12"
  for file in [p for p in newest.rglob("*") if p.is_file()]:
    if hurt == "empty":
      file.unlink()
    elif file.parent.name == "d":
      file.write_bytes(file.read_bytes()[:10])
  with pytest.warns(UserWarning, match="12 is damaged"):
    assert int(fit(tmp_path).step) == 12


def test_loop_digest_notices_values_storage_not(tmp_path):
  """The digest notices values that storage does not."""
  checkpoints = Checkpoints(tmp_path)
  state = State(jnp.int32(1), jnp.arange(3.0), (), ())
  checkpoints.save(1, state)
  checkpoints.save(2, state)
  checkpoints.wait()
  (path,) = (tmp_path / "2" / "label").glob("metadata")
  label = json.loads(path.read_text())
  label["sha256"] = "0"
  label["label_sha256"] = _label_digest(label)
  path.write_text(json.dumps(label))
  with pytest.warns(UserWarning, match="not those that were saved"):
    restored = checkpoints.restore(state)
  assert checkpoints.steps() == [1]
  assert digest(restored) == digest(jax.device_get(state))


def test_loop_checkpoint_another_network_refused_stays(tmp_path):
  """A checkpoint of another network is refused and stays."""
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(1, State(jnp.int32(1), jnp.zeros(3), (), ()))
  checkpoints.wait()
  with pytest.raises(OtherNetwork, match=r"params is float32\[3\] there and float32\[4\] here"):
    checkpoints.restore(State(jnp.int32(1), jnp.zeros(4), (), ()))
  assert checkpoints.steps() == [1]


def test_loop_damaged_label_is_no_other_network(tmp_path):
  """A label with one changed character is damage, and the checkpoint before it is taken."""
  checkpoints = Checkpoints(tmp_path)
  state = State(jnp.int32(1), jnp.arange(3.0), (), ())
  checkpoints.save(1, state)
  checkpoints.save(2, state)
  checkpoints.wait()
  (path,) = (tmp_path / "2" / "label").glob("metadata")
  path.write_text(path.read_text().replace("float32[3]", "float32[2]"))
  with pytest.warns(UserWarning, match="its label is not the one that was saved"):
    checkpoints.restore(state)
  assert checkpoints.steps() == [1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loop_signal_keeps_the_state(tmp_path, monkeypatch, number):
  """A signal in the midst of an epoch keeps the state, and the resumed run ends as one that was not interrupted."""
  whole = fit(tmp_path / "whole")
  add, added = loop._Window.add, []

  def signalling(window, terms):
    add(window, terms)
    added.append(terms)
    if len(added) == 5:  # of 12, the second of an epoch of three
      os.kill(os.getpid(), number)

  before = signal.getsignal(number)
  monkeypatch.setattr(loop._Window, "add", signalling)
  with pytest.raises(interrupt.Interrupted, match="The state after step 5 is kept") as stopped:
    fit(tmp_path / "parts")
  assert stopped.value.number == number and signal.getsignal(number) == before
  assert digest(fit(tmp_path / "parts")) == digest(whole)


def test_loop_step_traced_once(tmp_path):
  """The step is traced once."""
  assert int(fit(tmp_path, max_traces=1).step) == 12  # chex raises at the second trace


def test_loop_weights_arguments_program():
  """Weights are arguments of the program."""
  one = experiment()
  programs = loop.compile_task(one.task, one.batch_size)
  batch = next(iter(loop.batches(one.data.train, np.arange(8), 8, pad=False)))
  key = jax.random.key(0)
  state = one.task.init(key, one.frozen, batch)
  losses = []
  for weight in (1.0, 2.0):
    copy = jax.tree.map(jnp.copy, state)  # the program uses up the state it is given
    losses.append(programs.step(copy, one.frozen, batch, jnp.float32(weight), key)[1]["loss"])
  np.testing.assert_allclose(losses[1], 2 * losses[0], rtol=1e-6)  # a doubling in float32
  assert programs.step._cache_size() == 1


def test_loop_step_uses_up_state_given():
  """The step uses up the state it is given."""
  one = experiment()
  programs = loop.compile_task(one.task, one.batch_size)
  batch = next(iter(loop.batches(one.data.train, np.arange(8), 8, pad=False)))
  state = programs.init(jax.random.key(0), one.frozen, batch)
  programs.step(state, one.frozen, batch, one.weights, jax.random.key(0))
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_loop_batches_sent_before_needed_no(tmp_path, monkeypatch):
  """Batches are sent before they are needed and no step is waited for."""
  happened = []

  class Pending:
    """A term of a step that runs still: whoever looks at it waits."""

    def __init__(self, step, value):
      self.step, self.value = step, value

    def __array__(self, dtype=None, copy=None):
      happened.append(f"waited for {self.step}")
      return np.asarray(self.value, dtype)

  compile_task, batches = loop.compile_task, loop.batches

  def compiled(*arguments):
    programs = compile_task(*arguments)
    steps = []

    def step(*given):
      state, terms = programs.step(*given)
      steps.append(1)
      happened.append(f"step {len(steps)}")
      return state, {name: Pending(len(steps), value) for name, value in terms.items()}

    return programs._replace(step=step)

  def sent(*arguments, pad, local_rows):
    for number, batch in enumerate(batches(*arguments, pad=pad, local_rows=local_rows)):
      if not pad:
        happened.append(f"batch {number + 1}")
      yield batch

  monkeypatch.setattr(loop, "compile_task", compiled)
  monkeypatch.setattr(loop, "batches", sent)
  monkeypatch.setattr(loop.Stream, "first", lambda stream, one: (jax.random.key(0), one.frozen, first))
  one = experiment(epochs=1)._replace(log_every=3, data=Split(faces(48), faces(6, seed=1), None, 54, 0))
  first = next(iter(batches(one.data.train, np.arange(8), 8, pad=False)))
  tmp_path.mkdir(exist_ok=True)
  checkpoints = Checkpoints(tmp_path / "checkpoints")
  loop.fit(one, tmp_path, checkpoints)
  checkpoints.close()
  order = [what for i, what in enumerate(happened) if what not in happened[:i]]
  assert order[:9] == [
    "batch 1",
    "batch 2",
    "batch 3",
    "step 1",
    "batch 4",
    "step 2",
    "batch 5",
    "step 3",
    "waited for 1",
  ]
  assert order.index("waited for 4") > order.index("step 6")


def test_loop_too_few_faces_batch_refused(tmp_path):
  """Too few faces for a batch are refused."""
  with pytest.raises(ValueError, match="batch"):
    one = experiment()._replace(batch_size=32)
    loop.fit(one, tmp_path, Checkpoints(tmp_path / "checkpoints"))
