"""A run's folder: its lock and its config.json."""

import contextlib
import pathlib

import filelock

from qm_vae.errors import InputError, InvalidFile
from qm_vae.io import reading

_CONFIG_BYTES = 2**24


def read_config(workdir: str | pathlib.Path) -> dict:
  """What WORKDIR/config.json holds.

  Raises:
    InvalidFile: when there is none, or it is not readable.
  """
  path = pathlib.Path(workdir) / "config.json"
  if not path.exists():
    raise InvalidFile(path, "does not exist", remedy=f"{workdir} is no folder of a run")
  return reading.read_json(path, most=_CONFIG_BYTES, remedy="restore the file of the run")


def read_provenance(workdir: str | pathlib.Path) -> dict:
  """What WORKDIR/provenance.json holds: digests of `train` and `test`, and of the `networks` by name.

  Raises:
    InvalidFile: when there is none, or it is damaged.
  """
  path, remedy = pathlib.Path(workdir) / "provenance.json", "restore the file of the run, or train it anew"
  found = reading.read_json(path, most=_CONFIG_BYTES, remedy=remedy)
  networks = found.get("networks")
  if not (isinstance(found.get("train"), str) and isinstance(found.get("test"), str) and isinstance(networks, dict)):
    raise InvalidFile(path, "is damaged", "the texts train and test, and networks", remedy)
  return found


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, wait: bool = False):
  """Keeps other processes out of a run's folder, by a lock on FOLDER/lock that ends with the process.

  Raises:
    ValueError: when another process is in there and `wait` is False.
  """
  folder.mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(folder / "lock", timeout=-1 if wait else 0)
  try:
    lock.acquire()
  except filelock.Timeout:
    raise InputError(f"another process works in {folder}; wait for it, or choose another --workdir") from None
  try:
    yield
  finally:
    lock.release()
