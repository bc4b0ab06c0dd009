"""Readers that may hang or crash in C answer from a process of their own, which is ended when it is late.

`python -m hostile.apart KIND` is that process: a line with a folder and the spoilt file in, a line with the answer out.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile

from hostile.verdicts import PATIENCE, SECONDS, limited

_SUPPORT = pathlib.Path(__file__).parents[1]
_START = 600  # seconds until imports and compilation are done


class Worker:
  """Answers for one kind; a process that crashed or hung is replaced."""

  def __init__(self, name: str):
    self._name = name
    self._process: subprocess.Popen | None = None

  def __call__(self, folder: pathlib.Path, name: str) -> str:
    """As verdicts.limited, or how the process ended."""
    process = self._process or self._start()
    process.stdin.write(json.dumps([str(folder), name]) + "\n")
    process.stdin.flush()
    line = self._line(PATIENCE + SECONDS)
    if line:
      return json.loads(line)
    status = process.poll()
    self.close()
    return f"hang over {SECONDS} s" if status is None else f"killed by signal {-status}"

  def _start(self):
    path = os.pathsep.join([str(_SUPPORT), os.environ.get("HOSTILE_ROOT", str(_SUPPORT.parents[1]))])
    self._process = subprocess.Popen(
      [sys.executable, "-m", "hostile.apart", self._name],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
      env=os.environ | {"PYTHONPATH": path},
      cwd=_SUPPORT,  # which -m looks through first
    )
    if self._line(_START) != "ready\n":
      self.close()
      raise RuntimeError(f"the process that reads {self._name} does not start")
    return self._process

  def _line(self, seconds):
    ready, _, _ = select.select([self._process.stdout], [], [], seconds)
    line = self._process.stdout.readline() if ready else ""
    if ready and not line:
      self._process.wait()
    return line

  def close(self) -> None:
    """Ends the process."""
    if self._process is not None:
      self._process.kill()
      self._process.communicate()
      self._process = None


def main() -> None:
  """The process of a Worker."""
  from hostile import KINDS

  kind = KINDS[sys.argv[1]]
  out = os.fdopen(os.dup(1), "w")  # what libraries print is none of the answers
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  with tempfile.TemporaryDirectory() as scratch:
    kind.write(pathlib.Path(scratch))
    kind.read(pathlib.Path(scratch))  # imports and compilation are no part of what is timed
  print("ready", file=out, flush=True)
  for line in sys.stdin:
    folder, name = json.loads(line)
    print(json.dumps(limited(kind, pathlib.Path(folder), name)), file=out, flush=True)


if __name__ == "__main__":
  main()
