"""Files written under another name and renamed when they are whole."""

import contextlib
import hashlib
import os
import pathlib
import re
from collections.abc import Iterator

_LONGEST = 200  # bytes of a name to which more can be added; file systems take 255


class Aside:
  """Where a file is written until it is whole: a hidden name beside it, so that renaming is one step.

  What killed processes left beside the same file is removed.
  """

  def __init__(self, final: str | os.PathLike):
    """Claims the hidden name.

    Raises:
      OSError: where the folder cannot be written, or another process writes the same file now.
    """
    self.final = pathlib.Path(final)
    name = _shortened(self.final.name)
    self.path = self.final.with_name(f".{name}.{os.getpid()}.part")
    debris = re.compile(rf"\.{re.escape(name)}\.(\d+)\.part")
    self.path.touch()  # first: of two that begin together neither may overlook the other
    for left in self.final.parent.iterdir():
      if not (match := debris.fullmatch(left.name)) or left == self.path:
        continue
      if _is_alive(int(match[1])):
        self.drop()
        raise FileExistsError(
          f"{self.final} is being written by the process {match[1]}; wait for its end, or choose another OUT (if that "
          f"process is another program, remove {left})"
        )
      left.unlink(missing_ok=True)

  def publish(self) -> None:
    """Flushes the file to the disk and gives it its name.

    Raises:
      OSError: where the disk does not take it; it then keeps the hidden name.
    """
    with naming(self.final), self.path.open("rb+") as file:
      os.fsync(file.fileno())
    self.path.replace(self.final)

  def drop(self) -> None:
    """Removes what was written, if it is still there."""
    self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
  """Within, an OSError that names no file is of `path`: a full disk is the one that it lies on."""
  try:
    yield
  except OSError as error:
    if error.filename is None and error.errno is not None:
      raise OSError(error.errno, error.strerror, str(path)) from error
    raise


def _shortened(name):
  """The name, or for a long one its beginning and a digest, so that there is room for what is added to it."""
  if len(os.fsencode(name)) <= _LONGEST:
    return name
  return f"{name[: _LONGEST // 8]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def _is_alive(process):
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    return True
  return True
