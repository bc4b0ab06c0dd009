r"""Compares finished runs with the paper: one table for its headline and Tables 2 to 4, and its Figs. 6, 9, 10 and 12.

  python -m qm_vae.report.reproduction runs/paper-celeba_folder --out=reproduction
  python -m qm_vae.report.reproduction runs/table1-celeba_folder-paper-sweep/* runs/inputs-sweep/* --out=reproduction

Writes FOLDER/reproduction.md and FOLDER/figures/. Every number comes from a run's report.json; only the
intervals of rates read during training are computed here (Wilson's). Void runs are listed and left out.
"""

import argparse
import pathlib
import sys

from qm_vae.arguments import Parser
from qm_vae.errors import InputError


def main(arguments=None):
  """The command line; returns the exit status: 0, or 2 where the runs cannot be read."""
  parser = Parser(
    prog="python -m qm_vae.report.reproduction",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("runs", metavar="RUN", nargs="+", type=pathlib.Path, help="folder of a finished run")
  parser.add_argument("--out", metavar="FOLDER", required=True, type=pathlib.Path, help="folder for the page")
  options = parser.parse_args(arguments)
  from qm_vae.report import beside_paper  # --help does not wait for it

  try:
    print(beside_paper.write(options.runs, options.out))
  except InputError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
