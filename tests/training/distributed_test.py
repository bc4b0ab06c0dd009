"""One device, several, and several processes: the same training, and nobody gathers all tokens."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
import together

from qm_vae.data.batches import batches
from qm_vae.io import records
from qm_vae.training import distributed, loop
from qm_vae.types import Table

ROOT = pathlib.Path(__file__).parents[2]


def test_distributed_processes_share_batch_row_row():
  """Processes share a batch row by row."""
  table = Table({"x": np.arange(5)})
  groups = [distributed.Group(i, ((None,),) * 2) for i in range(2)]
  parts = [list(batches(table, np.arange(5), 4, pad=True, local_rows=group.local_rows(4))) for group in groups]
  (whole,) = [list(batches(table, np.arange(5), 4, pad=True))]
  for number, batch in enumerate(whole):
    for name in ("x", "_mask"):
      np.testing.assert_array_equal(np.concatenate([part[number][name] for part in parts]), batch[name])
  assert [group.is_leader for group in groups] == [True, False]
  with pytest.raises(ValueError, match="batch_size is 5, which 2 processes cannot share"):
    groups[0].local_rows(5)


def test_distributed_trains_together_told_refused():
  """Who trains together is told or refused."""
  assert distributed.parsed("10.0.0.1:1234,2,1") == ("10.0.0.1:1234", 2, 1)
  for wrong in ("", "slurm", "10.0.0.1,2,1", "10.0.0.1:1234,2,2", "10.0.0.1:1234,2", "host:port,2,1"):
    with pytest.raises(ValueError, match="HOST:PORT,COUNT,INDEX"):
      distributed.parsed(wrong)


def test_distributed_alone_nobody_asked_nothing_sent():
  """Alone nobody is asked and nothing is sent."""
  group = distributed.single_process()
  assert group == distributed.all_processes() and group.is_leader and group.size == 1
  assert group.broadcast(lambda: {1: ()}) == {1: ()} and group.leader_first(lambda: group) is group
  assert group.broadcast_arrays("anything", None) == "anything"
  assert group.mesh(7).devices.tolist() == [jax.devices()[0]] and group.local_rows(7) == slice(0, 7)


def test_distributed_services_asked_one_process_alone(tmp_path):
  """Services are asked by one process alone."""
  two = distributed.Group(0, (tuple(jax.devices()),) * 2)
  one = together.experiment(1)
  with pytest.raises(ValueError, match="2 processes would each ask"):
    loop.fit(one._replace(task=one.task._replace(host=lambda workdir: None)), tmp_path, None, group=two)


def start(workdir, epochs, count, message=()):
  """A training in a process with `count` simulated devices."""
  flags = f"--xla_force_host_platform_device_count={count} --xla_backend_optimization_level=0"
  line = [sys.executable, "tests/support/together.py", str(workdir), epochs, *message]
  env = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
  return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env)


def result(process):
  out, error = process.communicate(timeout=300)
  assert process.returncode == 0, error[-3000:]
  return json.loads(out.splitlines()[-1])


def rows(workdir):
  return [
    {k: v for k, v in row.items() if k not in ("images_per_second", "seconds")} for row in records.read_rows(workdir)
  ]


def assert_alike(found, expected):
  assert [row.keys() for row in found] == [row.keys() for row in expected]
  for one, other in zip(found, expected, strict=True):
    for name, value in one.items():
      if isinstance(value, str):
        assert value == other[name]
      else:  # sums over the batch are taken in another order, and Adam divides by small numbers
        np.testing.assert_allclose(value, other[name], rtol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
  """The folder of two epochs on one device, and its result."""
  workdir = tmp_path_factory.mktemp("alone")
  return workdir, result(start(workdir, "2", 1))


@pytest.mark.slow
def test_distributed_eight_devices_equal_one_gather(alone, tmp_path):
  """Eight devices equal one and gather no tokens and one goes on where eight stopped."""
  expected, on_one = alone
  on_eight = result(start(tmp_path / "eight", "1", 8))
  assert (on_eight["devices"], on_one["devices"]) == (8, 1)
  assert on_eight["copies"] == 8 and on_eight["alike"]  # the codebook, bit for bit
  assert_alike(rows(tmp_path / "eight"), rows(expected)[:4])
  # What crosses devices is of the size of the parameters; of a batch, the mask alone.
  assert on_eight["moved"].keys() <= {"all-reduce", "all-gather"} and on_eight["moved"]["all-reduce"] > 0
  assert on_eight["moved"].get("all-gather", 0) <= together.BATCH < together.TOKENS
  assert not on_one["moved"]
  shutil.copytree(tmp_path / "eight", tmp_path / "one")
  gone_on = result(start(tmp_path / "one", "2", 1))
  assert_alike(rows(tmp_path / "one"), rows(expected))
  np.testing.assert_allclose(gone_on["codebook"], on_one["codebook"], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_distributed_two_processes_equal_one_go(alone, tmp_path):
  """Two processes equal one and go on from a checkpoint."""
  expected, on_one = alone
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
  both = [start(tmp_path / "two", "1,2", 2, [f"{address},2,{index}"]) for index in range(2)]
  message = [result(process) for process in both]
  assert [one["devices"] for one in message] == [4, 4] and [one["copies"] for one in message] == [2, 2]
  assert message[0]["codebook"] == message[1]["codebook"] and all(one["alike"] for one in message)
  assert_alike(rows(tmp_path / "two"), rows(expected))  # one of them wrote, once
  np.testing.assert_allclose(message[0]["codebook"], on_one["codebook"], rtol=1e-3, atol=1e-5)
