"""Files written under another name and renamed when they are whole."""

import os
import pathlib
import re


class Aside:
  """Where a file is written until it is whole: a hidden name beside it, so that renaming is one step.

  What killed processes left beside the same file is removed.
  """

  def __init__(self, final: str | os.PathLike):
    """Claims the hidden name.

    Raises:
      OSError: where the folder cannot be written.
    """
    self.final = pathlib.Path(final)
    self.path = self.final.with_name(f".{self.final.name}.{os.getpid()}.part")
    debris = re.compile(rf"\.{re.escape(self.final.name)}\.(\d+)\.part")
    for left in self.final.parent.iterdir():
      if (match := debris.fullmatch(left.name)) and not _is_alive(int(match[1])):
        left.unlink(missing_ok=True)
    self.path.touch()

  def publish(self) -> None:
    """Flushes the file to the disk and gives it its name.

    Raises:
      OSError: where the disk does not take it; it then keeps the hidden name.
    """
    with self.path.open("rb+") as file:
      os.fsync(file.fileno())
    self.path.replace(self.final)

  def drop(self) -> None:
    """Removes what was written, if it is still there."""
    self.path.unlink(missing_ok=True)


def _is_alive(process):
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    return True
  return True
