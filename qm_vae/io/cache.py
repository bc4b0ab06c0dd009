"""The user's cache folder, and compiled programs kept in it so that a later start loads them."""

import hashlib
import os
import pathlib
import platform
import stat
import warnings
from typing import Any

_OFF = "JAX_ENABLE_COMPILATION_CACHE=false"
_SECONDS = 0.2  # of compilation; quicker programs are compiled again, for the file costs as much


def user_cache() -> pathlib.Path:
  """The user's own folder for what can be made again."""
  return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "qm_vae"


def use(folder: str | os.PathLike) -> pathlib.Path | None:
  """Keeps the programs that this process compiles from now on below `folder`, and takes those that are there.

  To be called once, before anything is compiled. Whoever can write to such a folder runs code in the processes that
  read it, so it must be the user's and nobody else's; where it is not, or cannot be made, a warning says so and
  programs are compiled as if there were none. A folder chosen by JAX's own JAX_COMPILATION_CACHE_DIR is left as it is,
  and JAX_ENABLE_COMPILATION_CACHE=false means none.

  Args:
    folder: made where absent, with mode 0700.

  Returns:
    The folder for this kind of processor, or None where nothing is kept.
  """
  import jax  # command lines that only ask for a folder do not wait for it

  settings: Any = jax.config
  if settings.jax_compilation_cache_dir or not settings.jax_enable_compilation_cache:
    return None
  path = pathlib.Path(folder)
  try:
    _make_private(path)
    # Programs for the CPU use its very instructions, and a home may be shared by machines that differ.
    path = path / _processor()
    path.mkdir(mode=0o700, exist_ok=True)
  except OSError as error:
    reason = error.strerror or error
    warnings.warn(f"programs are compiled anew at every start: {path}: {reason} ({_OFF} for silence)", stacklevel=2)
    return None
  jax.config.update("jax_compilation_cache_dir", str(path))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", _SECONDS)
  return path


def _make_private(path):
  """The folder with mode 0700; OSError where it is, or was, in reach of others."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.mkdir(mode=0o700, exist_ok=True)
  if not hasattr(os, "getuid"):
    return  # no owners and modes of that kind
  found = path.lstat()
  if not stat.S_ISDIR(found.st_mode):
    raise OSError("it is a link or a file; remove it, or name another folder by JAX_COMPILATION_CACHE_DIR")
  if found.st_uid != os.getuid():
    raise OSError(
      f"it belongs to user {found.st_uid}, whose programs would run as yours; set XDG_CACHE_HOME to your own folder"
    )
  if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
    raise OSError("others may have written to it; remove it, and it is made anew")
  path.chmod(0o700)


def _processor():
  """A name for the kind of processor: its instruction set, as far as the system tells it."""
  description = [platform.machine(), platform.processor()]
  try:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
      description += sorted({line for line in file if line.startswith(("model name", "flags", "Features", "CPU part"))})
  except OSError:
    pass  # not Linux
  return hashlib.sha256("\n".join(description).encode()).hexdigest()[:16]
