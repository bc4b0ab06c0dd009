"""Draws a page and its figures again from the result files: `python -m qm_vae.report FOLDER`."""

import argparse
import pathlib
import sys

from qm_vae.arguments import Parser

DESCRIPTION = """\
Reads the results of a run (report.json, evaluation.npz) or an audit (audit.json, audit.npz) in FOLDER, and writes

  FOLDER/report.html      of a run: one self-contained page, without scripts or requests
  FOLDER/audit.html       the same of an audit
  FOLDER/figures/*.png    the same figures for papers and slides

Nothing is computed again: every number on the page is in the JSON file. docs/report.md and docs/audit.md explain the
pages.
"""


def main(arguments=None):
  """Renders what the folder holds; returns the exit status: 0, or 2 where the result files cannot be read."""
  parser = Parser(
    prog="python -m qm_vae.report", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path, help="folder of a run or of an audit")
  folder = parser.parse_args(arguments).folder
  from qm_vae.report import audit_page, files, page  # --help does not wait for them

  is_audit, is_run = ((folder / kind.numbers).exists() for kind in (files.AUDIT, files.RUN))
  try:
    if is_audit:
      print(audit_page.write(folder))
    if is_run or not is_audit:
      print(page.write(folder))
  except files.UnreadableReport as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  return 0


if __name__ == "__main__":
  sys.exit(main())
