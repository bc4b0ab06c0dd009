r"""Evaluates a trained QM-VAE on its test faces and writes the report.

  python -m qm_vae.evaluate --workdir=runs/alpha04

Writes WORKDIR/report.json, evaluation.npz, report.html and figures/. The last checkpoint is evaluated, never one
selected by a reported number.
"""

import argparse
import pathlib

from qm_vae.arguments import Parser
from qm_vae.errors import InputError


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = Parser(
    prog="python -m qm_vae.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--workdir", required=True, help="folder of a finished run")
  parser.add_argument(
    "--ask-services",
    action="store_true",
    help="a run against black boxes: its config.json names functions that are called and addresses that faces are sent "
    "to; say so where you trust that file",
  )
  options = parser.parse_args(arguments)
  from qm_vae.evaluate import evaluate  # --help does not wait for them
  from qm_vae.experiments import config_file
  from qm_vae.io import cache
  from qm_vae.report import terminal

  workdir = options.workdir
  # Not the cache_dir of the run's config.json: programs are loaded from there and run, and the run may be anybody's.
  cache.use(cache.user_cache() / "xla")
  try:
    if not options.ask_services and config_file.load(workdir).task == "black_box":
      raise InputError(
        f"{workdir} is a run against black boxes, which would be asked as its config.json says; if you trust it, add "
        "--ask-services"
      )
    asking = " --ask-services" * options.ask_services
    report = evaluate(workdir, command=f"python -m qm_vae.evaluate --workdir={workdir}{asking}")
  except (InputError, OSError) as error:
    parser.exit(1, f"error: {error}\n")
  print(*terminal.lines(report), f"Report: {pathlib.Path(workdir) / 'report.html'}", sep="\n")


if __name__ == "__main__":
  main()
