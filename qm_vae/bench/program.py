"""What python -m qm_vae.bench does once its command line is read."""

import argparse
import itertools
import json
import platform
import sys

import jax

from qm_vae.bench import MODES, data, floor, inference, memory, peer, scaling, search, startup, train_step, workload
from qm_vae.errors import InputError
from qm_vae.io import cache, records
from qm_vae.models.presets import PRESETS

MEASURES = {
  "step": (train_step.line, train_step.measure),
  "inference": (inference.line, inference.measure),
  "search": (search.line, search.measure),
  "data": (data.line, data.measure),
  "memory": (memory.line, lambda load, rounds, peak: memory.measure(load)),
  "startup": (startup.line, lambda load, rounds, peak: startup.measure(load.setting)),
}
"""Each is (figures -> a line on them, (workload, rounds, peak) -> figures)."""


def run(options: argparse.Namespace) -> None:
  """Measures what the command line (__main__.py) asks for; prints it and, with --json, writes it."""
  cache.use(cache.user_cache() / "xla")
  device = f"{jax.devices()[0].device_kind}, {platform.machine()}, jax {jax.__version__}"
  try:
    peak = floor.measure()
    print(f"{device}: peak {peak.flops / 1e9:.0f} GFLOP/s and {peak.bytes / 1e9:.1f} GB/s, as measured", flush=True)
    rows = []
    modes = options.mode or MODES[:1]
    for preset, mode in itertools.product(options.preset or PRESETS, modes):
      setting = workload.Setting(preset, mode, options.image_size, options.batch_size, options.num_codes, options.dtype)
      rows.append(setting._asdict() | {"measured": _measure(setting, options, peak)})
  except (InputError, OSError) as error:
    sys.exit(f"error: {error}")
  if options.json:
    report = {"device": device, "peak": peak._asdict(), "rows": rows}
    records.write_text(options.json, json.dumps(report, indent=1) + "\n")


def _measure(setting, options, peak):
  """{name: figures} of one setting, each printed as it comes."""
  name = f"{setting.preset}, {setting.mode}, {setting.image_size} pixels, {setting.batch_size} faces, {setting.dtype}"
  print(name, flush=True)
  if options.scaling:
    rows = scaling.measure(setting, options.rounds, say=lambda line: print(line, file=sys.stderr, flush=True))
    print(scaling.table(rows), flush=True)
    return {"scaling": rows}
  load, found = workload.make(setting), {}
  for measure in options.only or MEASURES:
    tell, measured = MEASURES[measure]
    found[measure] = measured(load, options.rounds, peak)
    print("  " + tell(found[measure]), flush=True)
  if options.peer:
    found["peer"] = peer.measure(load, options.peer, options.rounds)
    print("  " + peer.line(found["peer"]), flush=True)
  return found
