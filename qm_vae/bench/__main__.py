r"""How fast this machine trains and uses QM-VAE, where the time goes, and how far it is from the machine's peak.

  python -m qm_vae.bench                                    # both presets, 64 x 64, batches of 32
  python -m qm_vae.bench --preset=paper --image-size=128 --json=bench.json
  python -m qm_vae.bench --preset=small --mode=one_code      # as configs/one_code.py trains
  python -m qm_vae.bench --only=step --peer=torch            # against a PyTorch twin (requirements-torch.txt)
  python -m qm_vae.bench --preset=small --scaling            # how time and memory grow

Programs that are compared take turns. A floor is the time that a program's FLOPs and bytes, counted from the shapes in
it, take at the FLOP/s of a large matrix product and the bytes/s of a large copy, both measured first. Close other
programs: two threads that wait for each other lose much to a third.
"""

import argparse

from qm_vae.arguments import Parser
from qm_vae.bench import MEASURES, MODES, PEERS, timing
from qm_vae.models.presets import PRESETS


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  options = _parser().parse_args(arguments)
  from qm_vae.bench import program  # --help does not wait for it

  program.run(options)


def _parser():
  parser = Parser(
    prog="python -m qm_vae.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--preset", choices=tuple(PRESETS), action="append", help="default: each in turn")
  parser.add_argument("--mode", choices=MODES, action="append", help="default: published")
  parser.add_argument("--only", choices=MEASURES, action="append", help="default: all of them in turn")
  parser.add_argument("--image-size", type=int, default=64, help="side of the faces, pixels (default %(default)s)")
  parser.add_argument("--batch-size", type=int, default=32, help="faces (default %(default)s)")
  parser.add_argument("--num-codes", type=int, default=0, help="of the codebook (default: 512, one_code 64)")
  parser.add_argument(
    "--dtype", choices=("float32", "bfloat16"), default="float32", help="of the convolutions (default %(default)s)"
  )
  parser.add_argument("--rounds", type=timing.rounds, default=20, help="timed calls of each (default %(default)s)")
  parser.add_argument("--peer", choices=PEERS, help="also against a twin of the step in PyTorch")
  parser.add_argument("--scaling", action="store_true", help="instead: a table over codes, side and batch")
  parser.add_argument("--json", help="also write the figures to this file")
  return parser


if __name__ == "__main__":
  main()
