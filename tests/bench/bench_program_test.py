"""The command line of the benchmark, at its smallest, and what bfloat16 does to a training."""

import json

import jax
import numpy as np
import pytest

from qm_vae.bench import MEASURES, MODES, core, memory, program, startup, workload
from qm_vae.bench import __main__ as bench

TINY = ("--image-size=16", "--batch-size=2", "--rounds=1", "--num-codes=16")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("flag", "message"), [("--rounds=0", "--rounds"), ("--only=speed", "--only")])
def test_bench_options_out_range_refused(flag, message, capsys):
  """Options out of range are refused."""
  with pytest.raises(SystemExit):
    bench.main([flag])
  assert message in capsys.readouterr().err


def test_bench_sizes_cannot_refused():
  """Sizes that cannot be are refused."""
  with pytest.raises(ValueError, match="image size 30"):
    workload.make(workload.Setting(image_size=30))
  with pytest.raises(ValueError, match="batch size 0"):
    workload.make(workload.Setting(batch_size=0))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_bench_every_measure_printed_written(mode, tmp_path, capsys, monkeypatch):
  """Every measure is printed and written."""
  monkeypatch.setattr(program.floor, "_COPY", 2**16)
  monkeypatch.setattr(program.floor, "_MATMUL", 64)
  monkeypatch.setattr(program.startup, "measure", lambda setting: {})
  monkeypatch.setitem(program.MEASURES, "startup", (lambda found: "start", program.MEASURES["startup"][1]))
  bench.main([*TINY, "--preset=small", f"--mode={mode}", f"--json={tmp_path / 'bench.json'}"])
  (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
  printed = capsys.readouterr().out
  assert row["mode"] == mode and set(row["measured"]) == set(program.MEASURES) == set(MEASURES)
  for words in ("images/s", "faces/s", "encodings among", "JPEG/s", "MB of temporary", "of the peak"):
    assert words in printed
  step = row["measured"]["step"]
  assert step["images_per_second"] > 0 and 0 < step["gflop_of_matrices"] < step["gflop"]
  assert ("discriminator learns" in step["share_of_step"]) == (mode == "one_code")


@pytest.mark.slow
def test_bench_second_start_finds_programs_first(monkeypatch):
  """A second start finds the programs of the first."""
  monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "true")
  monkeypatch.setenv("XLA_FLAGS", "")
  found = startup.measure(workload.Setting(image_size=16, batch_size=2))
  assert found["warm"]["seconds"] < found["cold"]["seconds"]  # compilation is most of a cold start
  assert 0 < found["warm"]["import_seconds"] < found["warm"]["seconds"]


@pytest.mark.slow
def test_bench_results_step_written_over_state():
  """The results of a step are written over its state."""
  load = workload.make(workload.Setting(image_size=16, batch_size=2))
  planned = memory.measure(load)
  state = jax.eval_shape(load.task.init, jax.random.key(0), load.frozen, load.batch)
  size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) / 2**20
  np.testing.assert_allclose(planned["reused_mbyte"], size, rtol=0.01)  # some bytes of alignment


@pytest.mark.slow
def test_bench_training_bfloat16_stays_near_float32():
  """Training in bfloat16 stays near float32."""
  losses = {}
  for dtype in ("float32", "bfloat16"):
    load, key = (
      workload.make(workload.Setting(image_size=16, batch_size=8, num_codes=32, dtype=dtype)),
      jax.random.key(0),
    )
    face = workload.face_of(load.batch)
    views = workload.channels_of(load, face, key)
    state, step = core.init(load, views, key), core.step_of(load)
    first = None
    for _ in range(60):
      state, loss = step(state, load.service.params, views, face.image, load.weights, key)
      first = loss if first is None else first
    losses[dtype] = float(loss)
    assert losses[dtype] < 0.95 * float(first)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves((state.params, state.model_state)))
  # Eight bits of mantissa, a random walk of codes and weights over 60 steps.
  np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.05)
