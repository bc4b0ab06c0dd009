r"""How fast this machine trains and uses QM-VAE, where the time goes, and how far it is from the machine's peak.

  python -m qm_vae.bench                                    # both presets, 64 x 64, batches of 32
  python -m qm_vae.bench --preset=paper --image-size=128 --json=bench.json
  python -m qm_vae.bench --preset=small --mode=private       # as configs/private.py trains
  python -m qm_vae.bench --only=step --peer=torch            # against a PyTorch twin (requirements-torch.txt)
  python -m qm_vae.bench --preset=small --scaling            # how time and memory grow

Programs that are compared take turns. A floor is the time that a program's FLOPs and bytes, counted from the shapes in
it, take at the FLOP/s of a large matrix product and the bytes/s of a large copy, both measured first. Close other
programs: two threads that wait for each other lose much to a third.
"""

import argparse
import itertools
import json
import platform
import sys

import jax

from qm_vae.arguments import Parser
from qm_vae.bench import data, floor, inference, memory, peer, scaling, search, startup, timing, train_step, workload
from qm_vae.io import cache, records
from qm_vae.models import vqvae

MEASURES = {
  "step": (train_step.line, train_step.measure),
  "inference": (inference.line, inference.measure),
  "search": (search.line, search.measure),
  "data": (data.line, data.measure),
  "memory": (memory.line, lambda load, rounds, peak: memory.measure(load)),
  "startup": (startup.line, lambda load, rounds, peak: startup.measure(load.setting)),
}
"""Each is (figures -> a line on them, (workload, rounds, peak) -> figures)."""


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  options = _parser().parse_args(arguments)
  cache.use(cache.user_cache() / "xla")
  device = f"{jax.devices()[0].device_kind}, {platform.machine()}, jax {jax.__version__}"
  try:
    peak = floor.measure()
    print(f"{device}: peak {peak.flops / 1e9:.0f} GFLOP/s and {peak.bytes / 1e9:.1f} GB/s, as measured", flush=True)
    rows = []
    modes = options.mode or workload.MODES[:1]
    for preset, mode in itertools.product(options.preset or vqvae.PRESETS, modes):
      setting = workload.Setting(preset, mode, options.image_size, options.batch_size, options.num_codes, options.dtype)
      rows.append(setting._asdict() | {"measured": _measure(setting, options, peak)})
  except (ValueError, RuntimeError, OSError) as error:
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


def _parser():
  parser = Parser(
    prog="python -m qm_vae.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--preset", choices=tuple(vqvae.PRESETS), action="append", help="default: each in turn")
  parser.add_argument("--mode", choices=workload.MODES, action="append", help="default: published")
  parser.add_argument("--only", choices=tuple(MEASURES), action="append", help="default: all of them in turn")
  parser.add_argument("--image-size", type=int, default=64, help="side of the faces, pixels (default %(default)s)")
  parser.add_argument("--batch-size", type=int, default=32, help="faces (default %(default)s)")
  parser.add_argument("--num-codes", type=int, default=0, help="of the codebook (default: 512, private 64)")
  parser.add_argument(
    "--dtype", choices=("float32", "bfloat16"), default="float32", help="of the convolutions (default %(default)s)"
  )
  parser.add_argument("--rounds", type=timing.rounds, default=20, help="timed calls of each (default %(default)s)")
  parser.add_argument("--peer", choices=peer.PEERS, help="also against a twin of the step in PyTorch")
  parser.add_argument("--scaling", action="store_true", help="instead: a table over codes, side and batch")
  parser.add_argument("--json", help="also write the figures to this file")
  return parser


if __name__ == "__main__":
  main()
