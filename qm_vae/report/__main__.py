"""Draws a run's figures and page again from its result files: `python -m qm_vae.report WORKDIR`."""

import argparse
import sys

from qm_vae.report import files, page

DESCRIPTION = """\
Reads WORKDIR/report.json and WORKDIR/evaluation.npz, which a run writes when its evaluation ends, and writes

  WORKDIR/report.html      one self-contained page: pictures inside, no script, no request to anywhere
  WORKDIR/figures/*.png    the same figures for papers and slides

Nothing is computed anew: every number on the page stands in report.json. docs/report.md tells how to read it.
"""


def main(arguments=None):
  """Renders the report; returns the exit status: 0, or 2 where the result files cannot be read."""
  parser = argparse.ArgumentParser(
    prog="python -m qm_vae.report", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("workdir", metavar="WORKDIR", help="folder of a run")
  try:
    print(page.write(parser.parse_args(arguments).workdir))
  except files.UnreadableReport as error:
    print(error, file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
