"""Checkpoints that can be trusted: saved aside, digested, and restored only when whole."""

import hashlib
import json
import pathlib
import re
import warnings

import jax
import numpy as np
import orbax.checkpoint as ocp

from qm_vae.errors import InputError

_STEP = re.compile(r"\['([^']*)'\]|\.(\w+)|\[(\d+)\]")


class OtherNetwork(InputError):
  """A whole checkpoint whose arrays are not those of the network at hand."""


class Checkpoints:
  """Orbax checkpoints of a state under one folder, the newest `keep` of them.

  Orbax writes a checkpoint aside and renames it, so a killed process leaves the one before. What it does not always do
  is notice a flipped byte; hence a digest of all arrays is stored along and compared when restoring.
  """

  def __init__(self, directory: str | pathlib.Path, keep: int = 3):
    self._directory = pathlib.Path(directory).absolute()
    self._directory.mkdir(parents=True, exist_ok=True)
    self._keep = keep
    self._manager = self._open()

  def _open(self):
    # Every process keeps its own: the one that leads writes for all, and Orbax would wait for the others.
    me = jax.process_index()
    processes = ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
    options = ocp.CheckpointManagerOptions(
      max_to_keep=self._keep, enable_async_checkpointing=True, create=False, multiprocessing_options=processes
    )
    return ocp.CheckpointManager(self._directory, options=options)

  def steps(self) -> list[int]:
    """The steps that are there, oldest first."""
    return sorted(self._manager.all_steps())

  def save(self, step: int, state) -> None:
    """Starts to save `state` under `step`; returns once its values are copied, before they are written."""
    state = jax.tree.map(np.asarray, jax.device_get(state))
    label = {"sha256": digest(state), "shapes": _shapes(state)}
    label["label_sha256"] = _label_digest(label)
    self._manager.save(
      step, args=ocp.args.Composite(state=ocp.args.StandardSave(state), label=ocp.args.JsonSave(label))
    )

  def restore(self, template):
    """The newest whole state, on the host, or None when there is none.

    A damaged checkpoint is named in a warning, set aside as `damaged-STEP`, and the one before it is tried.

    Args:
      template: a state of the same structure, shapes and dtypes (values are not read).

    Raises:
      OtherNetwork: when the newest checkpoint is of another network; nothing is set aside then.
    """
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), template)
    for step in reversed(self.steps()):
      try:
        label = self._manager.restore(step, args=ocp.args.Composite(label=ocp.args.JsonRestore()))["label"]
        _check_label(label)
        if label["shapes"] != _shapes(abstract):
          raise OtherNetwork(_difference(self._directory / str(step), label["shapes"], _shapes(abstract)))
        items = ocp.args.Composite(state=ocp.args.StandardRestore(_on_host(abstract)))
        state = jax.tree.map(np.asarray, self._manager.restore(step, args=items)["state"])
        if digest(state) != label["sha256"]:
          raise InputError("its arrays are not those that were saved")
        return state
      except OtherNetwork:
        raise
      except Exception as error:  # Orbax raises whatever its storage raises: no narrower class covers a bad file
        self._set_aside(step, error)
    return None

  def read(self) -> dict[str, np.ndarray]:
    """The newest checkpoint's arrays by the path of each in the state, such as ".params['decoder']['bias']".

    For those who use a network and know nothing of how it was trained: no template is needed.

    Raises:
      ValueError: when there is none, or it is damaged; nothing is set aside.
    """
    if not self.steps():
      raise InputError(f"no checkpoint under {self._directory}")
    step = self.steps()[-1]
    try:
      items = ocp.args.Composite(label=ocp.args.JsonRestore(), state=ocp.args.StandardRestore())
      restored = self._manager.restore(step, args=items)
      _check_label(restored["label"])
      named = {path: _at(restored["state"], path) for path in restored["label"]["shapes"]}
      whole = _digest_of(named.items()) == restored["label"]["sha256"]
    except Exception as error:  # Orbax raises whatever its storage raises: no narrower class covers a bad file
      raise InputError(f"checkpoint {self._directory / str(step)} cannot be read ({type(error).__name__})") from error
    if not whole:
      raise InputError(f"checkpoint {self._directory / str(step)} is damaged: its arrays are not those that were saved")
    return named

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
  return _digest_of((jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree))


def _digest_of(named):
  total = hashlib.sha256()
  for name, leaf in named:
    array = np.ascontiguousarray(leaf)
    total.update(f"{name} {array.dtype} {array.shape}".encode())
    total.update(array.tobytes())
  return total.hexdigest()


def _label_digest(label):
  told = {key: label[key] for key in ("sha256", "shapes")}
  return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _check_label(label):
  """A damaged label must not look like one of another network; checkpoints of earlier versions have no digest of it."""
  if "label_sha256" in label and label["label_sha256"] != _label_digest(label):
    raise InputError("its label is not the one that was saved")


def _at(tree, path):
  """The leaf that a key path names, of a tree whose classes became dictionaries and whose tuples became lists."""
  for name, attribute, number in _STEP.findall(path):
    tree = tree[int(number)] if number else tree[name or attribute]
  return np.asarray(tree)


def _on_host(abstract):
  sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), abstract)


def _shapes(tree):
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {jax.tree_util.keystr(path): f"{np.dtype(leaf.dtype)}{list(leaf.shape)}" for path, leaf in leaves}


def _difference(path, stored, wanted):
  name = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))[0]
  return (
    f"checkpoint {path} is of another network: {name} is {stored.get(name)} there and {wanted.get(name)} here; use the "
    "config and the version of the code that it was trained with"
  )
