"""From the start of a process to its first finished step, with an empty and with a filled compilation cache."""

import json
import subprocess
import sys
import tempfile
import time

from qm_vae.bench import workload
from qm_vae.errors import InputError

_WARM = 3  # starts with a filled cache


def measure(setting: workload.Setting) -> dict:
  """Seconds of a cold start, and of several warm ones, with what the process says of itself; for JSON."""
  with tempfile.TemporaryDirectory() as root:
    cold = _start(setting, root)
    warm = [_start(setting, root) for _ in range(_WARM)]
  return {"cold": cold, "warm": sorted(warm, key=lambda one: one["seconds"])[len(warm) // 2], "n_warm": len(warm)}


def _start(setting, cache):
  """One process; its clock starts before it does, so that Python's own start and the imports count."""
  line = [sys.executable, "-m", "qm_vae.bench.first_step", cache, json.dumps(setting._asdict())]
  began = time.perf_counter()
  done = subprocess.run(line, capture_output=True, text=True, check=False)
  if done.returncode:
    raise InputError(f"a process that takes one step ended with {done.returncode}: {done.stderr[-2000:]}")
  return {"seconds": time.perf_counter() - began} | json.loads(done.stdout.splitlines()[-1])


def line(found: dict) -> str:
  """One line on it."""
  cold, warm = found["cold"], found["warm"]
  return (
    f"start to the first finished step: {cold['seconds']:.1f} s with an empty compilation cache, "
    f"{warm['seconds']:.1f} s with a filled one (median of {found['n_warm']}), "
    f"imports {warm['import_seconds']:.1f} s of it; "
    f"peak memory {_megabytes(cold)} and {_megabytes(warm)}"
  )


def _megabytes(measured):
  peak = measured["peak_mbyte"]
  return "unknown (Windows)" if peak is None else f"{peak:.0f} MB"
