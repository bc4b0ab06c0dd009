"""The devices, of one process or of many, that train one network together."""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import multihost

from qm_vae.errors import InputError

AUTO = "auto"
"""Lets the cluster tell who takes part (SLURM, Open MPI, Kubernetes, TPU)."""

_PATIENCE = 7 * 24 * 3600 * 1000  # milliseconds that a process waits for what the first one does alone
_numbers = itertools.count()  # of what was agreed on: every process counts alike


def join(spec: str) -> None:
  """Makes this process one of several that train together; the first thing a program does with JAX.

  Args:
    spec: AUTO, or HOST:PORT,COUNT,INDEX: where process 0 listens, how many processes there are, and which this is.

  Raises:
    ValueError: for what is neither.
    InputError: where the others cannot be reached.
  """
  given = () if spec == AUTO else parsed(spec)
  try:
    jax.distributed.initialize(*given)
  except RuntimeError as error:  # of gRPC
    raise InputError(f"--distributed={spec}: the other processes cannot be reached ({error})") from error


def parsed(spec: str) -> tuple[str, int, int]:
  """(address, count, index) of 'HOST:PORT,COUNT,INDEX'.

  Raises:
    ValueError: for anything else.
  """
  address, *numbers = spec.split(",")
  host, _, port = address.rpartition(":")
  if host and port.isdecimal() and len(numbers) == 2 and all(number.isdecimal() for number in numbers):
    count, index = map(int, numbers)
    if index < count:
      return address, count, index
  raise InputError(
    f"{spec!r} does not say who trains together; write {AUTO} on a cluster (SLURM and the like), or "
    "HOST:PORT,COUNT,INDEX with INDEX from 0 to COUNT - 1, such as 10.0.0.1:1234,2,0 and 10.0.0.1:1234,2,1"
  )


@dataclasses.dataclass(frozen=True)
class Group:
  """Processes that train one network together: each with its own devices and its own part of every batch.

  The first leads: it alone writes, and what must be known to all, it decides. All others must call the same methods in
  the same order.
  """

  index: int  # of this process
  devices: tuple[tuple[jax.Device, ...], ...]  # of each process

  @property
  def size(self) -> int:
    """Processes."""
    return len(self.devices)

  @property
  def is_leader(self) -> bool:
    """Whether this process is the one that writes."""
    return self.index == 0

  def mesh(self, batch_size: int) -> jax.sharding.Mesh:
    """As many devices of every process as divide its part of a batch, in the order of the processes.

    Raises:
      ValueError: where the processes do not divide the batch.
    """
    of_process = self._per_process(batch_size)
    count = math.gcd(of_process, min(map(len, self.devices)))
    chosen = [device for devices in self.devices for device in devices[:count]]
    return jax.sharding.Mesh(np.array(chosen), ("data",), axis_types=(jax.sharding.AxisType.Auto,))

  def local_rows(self, batch_size: int) -> slice:
    """The rows of a batch that this process loads."""
    of_process = self._per_process(batch_size)
    return slice(self.index * of_process, (self.index + 1) * of_process)

  def _per_process(self, batch_size):
    if batch_size % self.size:
      raise InputError(
        f"batch_size is {batch_size}, which {self.size} processes cannot share; make it a multiple of {self.size}"
      )
    return batch_size // self.size

  def broadcast(self, make: Callable[[], Any]) -> Any:
    """What `make()` returns in the process that leads (ready for JSON), in all; the others wait and call nothing.

    Raises:
      ValueError: in the others, where `make` failed.
    """
    if self.size == 1:
      return make()
    # Not a collective of the devices: those give up on a process that is late by some seconds.
    client, name = multihost.get_jax_distributed_client(), f"qm_vae/{next(_numbers)}"
    if not self.is_leader:
      spec = json.loads(client.blocking_key_value_get(name, _PATIENCE))
      if "error" in spec:
        raise InputError(f"process 0 stopped: {spec['error']}")
      return spec["value"]
    try:
      value = make()
    except BaseException as error:
      client.key_value_set(name, json.dumps({"error": str(error) or type(error).__name__}))
      raise
    client.key_value_set(name, json.dumps({"value": value}))
    return value

  def leader_first(self, make: Callable[[], Any]) -> Any:
    """What `make()` returns in each process, first in the leader: what it leaves on disk spares the others work."""
    made = []
    self.broadcast(lambda: made.append(make()))
    return made[0] if made else make()

  def broadcast_arrays(self, tree: Any, template: Any) -> Any:
    """The leader's `tree` of arrays, bit for bit, in every process, on the host.

    Args:
      tree: the leader's; the others' is not looked at.
      template: the same structure, shapes and dtypes.
    """
    if self.size == 1:
      return tree
    spec = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), template) if tree is None else tree
    # As bytes, since arrays are sent as a sum over processes, which would lose the sign of a zero.
    received = multihost_utils.broadcast_one_to_all(
      jax.tree.map(lambda leaf: np.frombuffer(np.asarray(leaf).tobytes(), np.uint8), spec), is_source=self.is_leader
    )
    back = lambda leaf, like: np.frombuffer(np.asarray(leaf).tobytes(), like.dtype).reshape(like.shape)
    return jax.tree.map(back, received, template)


def single_process() -> Group:
  """This process with its own devices."""
  return Group(0, (tuple(jax.local_devices()),))


def all_processes() -> Group:
  """All processes that `join` brought together; without it the same as `alone`."""
  of_process = [tuple(d for d in jax.devices() if d.process_index == i) for i in range(jax.process_count())]
  return Group(jax.process_index(), tuple(of_process))
