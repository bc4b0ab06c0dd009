"""Kills programs (SIGKILL) at many moments, lets the same command resume, and compares with an uninterrupted run.

  python tests/support/count_kills.py training --moments 20
  python tests/support/count_kills.py folder bulk --moments 10

What is compared, bit for bit: of a training the newest checkpoint, the rows of metrics.jsonl but for speed, the arrays
of evaluation.npz, and methods, codebook, privacy and provenance of report.json; of a folder and a bulk job each file of
OUT but the journal, and records but for seconds, command and date. Nothing else may be left in OUT.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_HERE = pathlib.Path(__file__).parent
_ROOT = _HERE.parents[1]
_SPEED = ("seconds", "images_per_second")
_JUDGED = ("methods", "codebook", "provenance")
_OF_THE_CALL = ("command", "created")
_PICTURES = 40


def _start(line, scratch):
  env = os.environ | {"XDG_CACHE_HOME": str(scratch / "cache"), "JAX_PLATFORMS": "cpu"}
  quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
  return subprocess.Popen([sys.executable, *line], cwd=_ROOT, env=env, **quiet)


def _finish(line, scratch, allowed=(0,)):
  """Runs a command to its end; returns its seconds."""
  began = time.monotonic()
  process = _start(line, scratch)
  _, said = process.communicate()
  if process.returncode not in allowed:
    raise RuntimeError(f"{line} ended with {process.returncode}: {said[-3000:]}")
  return time.monotonic() - began


def _killed(line, scratch, after):
  """Whether the command was still at work when it was killed, `after` seconds from its start."""
  process = _start(line, scratch)
  try:
    process.communicate(timeout=after)
  except subprocess.TimeoutExpired:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return True
  return False


def _training_content(folder) -> dict[str, Any]:
  from qm_vae.io import records
  from qm_vae.io.checkpoints import Checkpoints

  checkpoints = Checkpoints(folder / "checkpoints")
  made: dict[str, Any] = {f"checkpoint {name}": array.tobytes() for name, array in checkpoints.read().items()}
  made["step"] = checkpoints.steps()[-1]
  checkpoints.close()
  rows = records.read_rows(folder)
  made["rows"] = [{key: value for key, value in row.items() if key not in _SPEED} for row in rows]
  with np.load(folder / "evaluation.npz") as arrays:
    made |= {f"evaluation {name}": arrays[name].tobytes() for name in arrays.files}
  report = json.loads((folder / "report.json").read_text())
  made |= {key: report[key] for key in _JUDGED}
  made["privacy"] = [row["headline"] for row in report["privacy"]["methods"]]
  return made


def _out_content(out) -> dict[str, Any]:
  """Every file of OUT and of its record by name, the journals left out."""
  made: dict[str, Any] = {}
  for path in sorted([*out.rglob("*"), *out.parent.glob(f"{out.name}.*")]):
    name = str(path.relative_to(out.parent))
    if not path.is_file() or "/.bulk/" in name or path.name == ".deidentified.jsonl":
      continue
    made[name] = _without_speed(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
  return made


def _without_speed(value):
  if isinstance(value, dict):
    return {key: _without_speed(one) for key, one in value.items() if "seconds" not in key and key not in _OF_THE_CALL}
  return [_without_speed(one) for one in value] if isinstance(value, list) else value


def _pictures(folder):
  from PIL import Image

  from qm_vae.data import synthetic

  folder.mkdir()
  source = synthetic.make(num_people=_PICTURES, images_per_person=1, frame_size=256, seed=0)
  for i in range(_PICTURES):
    Image.fromarray(source[i].image).save(folder / f"{i:02}.png")


def _series(name, moments, line: Callable, content: Callable, scratch: pathlib.Path, seed: int) -> tuple[int, int]:
  """(kills, how many of them ended bit-equal); prints a line for each."""
  whole = scratch / "whole"
  _finish(line(whole), scratch)  # compiles, and trains what the run needs, into the cache
  expected = content(whole)
  seconds = _finish(line(scratch / "again"), scratch)
  if different := _compare(content(scratch / "again"), expected, whole.name, "again"):
    raise RuntimeError(f"two uninterrupted runs differ: {different}")
  rng, equal = random.Random(seed), 0
  print(f"{name}: an uninterrupted run takes {seconds:.1f} s here; two of them are equal", flush=True)
  for i in range(moments):
    after = seconds * (i + rng.random()) / moments
    out = scratch / f"kill{i}"
    hit = _killed(line(out), scratch, after)
    _finish(line(out), scratch)
    different = _compare(content(out), expected, whole.name, out.name)
    equal += not different
    words = "killed" if hit else "was over"
    print(f"{name} {i + 1}: {words} after {after:.1f} s; {different or 'bit-equal'}", flush=True)
  return moments, equal


def _compare(found, expected, name, other):
  """'' where two contents are the same, else what differs."""
  found = {key.replace(other, name, 1): value for key, value in found.items()}
  wrong = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
  return f"{len(wrong)} differ, first {wrong[0]}" if wrong else ""


def main() -> None:
  """Prints the series."""
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("series", nargs="+", choices=("training", "folder", "bulk"))
  parser.add_argument("--moments", type=int, default=10)
  parser.add_argument("--seed", type=int, default=0)
  given = parser.parse_args()
  sys.path.insert(0, str(_ROOT))
  for name in given.series:
    with tempfile.TemporaryDirectory() as temporary:
      scratch = pathlib.Path(temporary)
      if name == "training":
        line = lambda out: ["-m", "qm_vae.main", "--config=configs/smoke.py", f"--workdir={out}"]
        content = _training_content
      else:
        _pictures(scratch / "in")
        program = {"folder": ["-m", "qm_vae.deidentify"], "bulk": ["-m", "launch.bulk"]}[name]
        more = {"folder": [], "bulk": ["--workers=1"]}[name]
        line = lambda out, program=program, more=more, photos=scratch / "in": [*program, str(photos), str(out), *more]
        content = _out_content
      kills, equal = _series(name, given.moments, line, content, scratch, given.seed)
    print(f"{name}: {equal} of {kills} bit-equal", flush=True)


if __name__ == "__main__":
  main()
