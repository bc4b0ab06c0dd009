"""Checkpoints that can be trusted: saved aside, digested, and restored only when whole."""

import hashlib
import pathlib
import warnings

import jax
import numpy as np
import orbax.checkpoint as ocp


class Checkpoints:
  """Orbax checkpoints of a state under one folder, the newest `keep` of them.

  Orbax writes a checkpoint aside and renames it, so a killed process leaves the one before. What it does not always do
  is notice a flipped byte; hence a digest of all arrays is stored along and compared when restoring.
  """

  def __init__(self, directory: str | pathlib.Path, keep: int = 3):
    self._directory = pathlib.Path(directory).absolute()
    self._keep = keep
    self._manager = self._open()

  def _open(self):
    options = ocp.CheckpointManagerOptions(max_to_keep=self._keep, enable_async_checkpointing=True)
    return ocp.CheckpointManager(self._directory, options=options)

  def steps(self) -> list[int]:
    """The steps that are there, oldest first."""
    return sorted(self._manager.all_steps())

  def save(self, step: int, state) -> None:
    """Starts to save `state` under `step`; returns once its values are copied, before they are written."""
    state = jax.tree.map(np.asarray, jax.device_get(state))
    items = ocp.args.Composite(state=ocp.args.StandardSave(state), digest=ocp.args.JsonSave({"sha256": digest(state)}))
    self._manager.save(step, args=items)

  def restore(self, template):
    """The newest whole state, on the host, or None when there is none.

    A damaged checkpoint is named in a warning, set aside as `damaged-STEP`, and the one before it is tried.

    Args:
      template: a state of the same structure, shapes and dtypes (values are not read).
    """
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), template)
    for step in reversed(self.steps()):
      try:
        items = ocp.args.Composite(state=ocp.args.StandardRestore(_on_host(abstract)), digest=ocp.args.JsonRestore())
        restored = self._manager.restore(step, args=items)
        state = jax.tree.map(np.asarray, restored.state)
        if digest(state) != restored.digest["sha256"]:
          raise ValueError("its arrays are not those that were saved")
        return state
      except Exception as error:  # Orbax raises whatever its storage raises: no narrower class covers a bad file
        self._set_aside(step, error)
    return None

  def _set_aside(self, step, error):
    self._manager.close()
    damaged = self._directory / str(step)
    target = self._directory / f"damaged-{step}"
    number = 1
    while target.exists():
      number += 1
      target = self._directory / f"damaged-{step}-{number}"
    damaged.rename(target)
    reason = f"{type(error).__name__}: {error}".split(" [")[0].splitlines()[0][:200]
    warnings.warn(
      f"checkpoint {damaged} is damaged ({reason}); it is now {target.name} and the one before it is used",
      stacklevel=3,
    )
    self._manager = self._open()

  def wait(self) -> None:
    """Returns when everything saved so far is on disk."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits for what is being written and releases the folder."""
    self._manager.wait_until_finished()
    self._manager.close()


def digest(tree) -> str:
  """SHA-256 over names, dtypes, shapes and bytes of all arrays of a pytree."""
  total = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    array = np.ascontiguousarray(leaf)
    total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
    total.update(array.tobytes())
  return total.hexdigest()


def _on_host(abstract):
  sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), abstract)
