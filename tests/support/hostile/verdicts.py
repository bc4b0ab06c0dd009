"""What a reader may answer to a damaged file, and how that is judged."""

import pathlib
import random
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from qm_vae.errors import InputError

SECONDS = 5  # of the processor; a reader that takes longer hangs
PATIENCE = 60  # seconds by the clock, on a machine that has other work too
MEMORY = 2**30  # bytes, that a reader may add
_WORDS = 3000  # characters of a message


class Kind(NamedTuple):
  """One format: `write` makes a whole one in a folder, `damage` spoils it, `read` is what a program calls."""

  write: Callable[[pathlib.Path], None]
  damage: Callable[[random.Random, pathlib.Path], str]  # returns the spoilt file, relative to the folder
  read: Callable[[pathlib.Path], Any]
  apart: bool = False  # read in a process of its own, for what may hang or crash in C, where no signal's handler runs


class Hung(BaseException):
  """Not an Exception, so that no reader catches it."""


def verdict(kind: Kind, rng: random.Random, scratch: pathlib.Path, answer_of=None) -> str:
  """'' where a damaged input was held; else what went wrong: the exception, a hang, memory, a file outside.

  Args:
    kind: of KINDS.
    rng: of the damage.
    scratch: a folder of the test's own.
    answer_of: `limited`, or the same in a process of its own (apart.Worker).
  """
  home = scratch / "case"
  shutil.rmtree(home, ignore_errors=True)
  folder = home / "input"
  folder.mkdir(parents=True)
  kind.write(folder)
  name = kind.damage(rng, folder)
  (home / "outside.png").touch()  # what a damaged file may name; some put a picture there
  before = _snapshot(scratch)
  answer = answer_of(folder, name) if answer_of else limited(kind, folder, name)
  after = _snapshot(scratch)
  outside = [path for path in after if before.get(path) != after[path] and not path.is_relative_to(folder)]
  return answer or (f"files outside: {outside}" if outside else "")


def _snapshot(folder):
  return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def limited(kind: Kind, folder: pathlib.Path, name: str) -> str:
  """What is wrong with how `kind.read` answers for a folder, within SECONDS and MEMORY; '' for nothing."""
  began = time.process_time()
  limits = resource.getrlimit(resource.RLIMIT_AS)
  with open("/proc/self/statm", encoding="ascii") as file:
    mapped = int(file.read().split()[0]) * resource.getpagesize()
  handlers = {number: signal.signal(number, _hang) for number in (signal.SIGALRM, signal.SIGPROF)}
  signal.setitimer(signal.ITIMER_PROF, SECONDS)
  signal.setitimer(signal.ITIMER_REAL, PATIENCE)
  resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, limits[1]))
  try:
    kind.read(folder)
    answer = ""
  except Hung:
    answer = f"hang over {SECONDS} s"
  except BaseException as error:
    answer = _judge(error, folder, name)
  finally:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers.items():
      signal.signal(number, handler)
    resource.setrlimit(resource.RLIMIT_AS, limits)
  if not answer and time.process_time() - began > SECONDS:
    answer = f"hang over {SECONDS} s"
  return answer


def _hang(*_):
  raise Hung


def _judge(error, folder, name):
  chain, one = [], error
  while one is not None:
    chain.append(one)
    one = one.__cause__ or one.__context__
  if any(isinstance(one, MemoryError) for one in chain):
    return f"memory over {MEMORY} bytes"
  if not isinstance(error, InputError):
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/qm_vae/" in frame.filename] or frames
    place = f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"traceback {type(error).__name__}: {str(error)[:80]} at {place}"
  if str(folder) not in str(error) and pathlib.PurePath(name).name not in str(error):
    return f"no name of the file in {type(error).__name__}: {str(error)[:100]}"
  if len(str(error)) > _WORDS:
    return f"a message of {len(str(error))} characters"
  return ""
