"""Measures how often recognisers take AMT-GAN's output for the person it was trained to impersonate.

Success, as in Hu et al. 2022, Sec. 4: the cosine to the chosen face is above the threshold at which the recogniser
accepts 1 % of the pairs of different people (--false-accepts). It is measured on the run's plain test faces, before
and after, by the recognisers of its training and by those of --embedder, which it has not seen. Dodging: the cosine to
the face's own original is below that threshold. The result is also written to WORKDIR/impersonation.json.
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
    help="a recogniser not used in training: a folder or an ONNX file; repeatable",
  )
  parser.add_argument("--false-accepts", type=float, default=0.01, help="false acceptance rate (default: %(default)s)")
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
