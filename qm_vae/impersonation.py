"""How often recognisers take a face that AMT-GAN repainted for the one that it was to impersonate.

Success, as in Hu et al. 2022, Sec. 4: the cosine to the chosen face is above the threshold at which the recogniser
takes 1 % of the pairs of different people for one (--false-accepts). It is counted on the plain test faces of the run,
before and after, by the recognisers that the run was trained against and by those of --embedder, which it never saw.
Beside it, dodging: the cosine to the own original is below that threshold. WORKDIR/impersonation.json holds the same.
"""

import argparse

from qm_vae.arguments import Parser
from qm_vae.errors import InputError


def main(arguments: list[str] | None = None) -> None:
  """The command line."""
  parser = Parser(
    prog="python -m qm_vae.impersonation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--workdir", required=True, help="folder of a finished run of configs/amt_gan.py")
  parser.add_argument(
    "--embedder",
    action="append",
    default=[],
    help="a recogniser that it never saw: a folder or an ONNX file; repeatable",
  )
  parser.add_argument("--false-accepts", type=float, default=0.01, help="share of different people taken for one")
  measured = parser.parse_args(arguments)
  if not 0 < measured.false_accepts < 1:
    parser.error(f"--false-accepts is {measured.false_accepts}; it must lie between 0 and 1")
  from qm_vae.evaluate import impersonation  # --help does not wait for them
  from qm_vae.io import cache

  cache.use(cache.user_cache() / "xla")
  try:
    result = impersonation.impersonation(measured.workdir, measured.embedder, measured.false_accepts)
  except (InputError, OSError) as error:
    parser.exit(1, f"error: {error}\n")
  print("\n".join(impersonation.lines(result)))


if __name__ == "__main__":
  main()
