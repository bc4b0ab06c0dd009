"""The errors that answer what a user gave: a value, or a file."""

import errno
import os


class InputError(ValueError):
  """Something given by the user cannot be used; the message names it, what is allowed and the remedy."""


class InvalidFile(InputError):
  """A file cannot be used: it is missing, damaged, hostile, too large or of another form.

  Args:
    path: the file, or the folder.
    wrong: what is wrong with it.
    allowed: what was expected; '' where that is plain from `wrong`.
    remedy: what to do about it; '' where nothing is to be said.
  """

  def __init__(self, path: str | os.PathLike, wrong: str, allowed: str = "", remedy: str = ""):
    self.path, self.wrong, self.allowed, self.remedy = os.fspath(path), wrong, allowed, remedy
    parts = [f"expected {allowed}" if allowed else "", remedy]
    super().__init__("; ".join([f"{self.path} {wrong}", *filter(None, parts)]))

  def __reduce__(self):
    return type(self), (self.path, self.wrong, self.allowed, self.remedy)


def is_full(error: BaseException | None) -> bool:
  """Whether an error, or what caused it, is that there is no room on the disk."""
  while error is not None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
      return True
    if "No space left on device" in str(error):  # as TensorStore words it
      return True
    error = error.__cause__ or error.__context__
  return False
