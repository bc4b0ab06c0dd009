"""A run's folder: its lock and its config.json."""

import contextlib
import fcntl
import json
import pathlib


def read_config(workdir: str | pathlib.Path) -> dict:
  """What WORKDIR/config.json holds.

  Raises:
    ValueError: when there is none, or it is not readable.
  """
  path = pathlib.Path(workdir) / "config.json"
  try:
    found = json.loads(path.read_text(encoding="utf-8"))
  except FileNotFoundError:
    raise ValueError(f"{path} does not exist; {workdir} is no folder of a run") from None
  except json.JSONDecodeError as error:
    raise ValueError(f"{path} is not valid JSON ({error})") from None
  if not isinstance(found, dict):
    raise ValueError(f"{path} holds a {type(found).__name__}, and a config is an object; restore the file of the run")
  return found


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, wait: bool = False):
  """Keeps other processes out of a run's folder, by a lock on FOLDER/lock that ends with the process.

  Raises:
    ValueError: when another process is in there and `wait` is False.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / "lock").open("w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
      raise ValueError(f"another process works in {folder}; wait for it, or choose another --workdir") from None
    yield
