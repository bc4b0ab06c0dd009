"""The command line: python -m qm_vae.deidentify."""

import shlex
import sys

from qm_vae.deidentify import options

OK, FAILED, USAGE = options.OK, options.FAILED, options.USAGE


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  arguments = sys.argv[1:] if arguments is None else arguments
  given = options.parse(arguments)
  from qm_vae.deidentify import program  # --help does not wait for it

  return program.run(given, "python -m qm_vae.deidentify " + shlex.join(arguments))


if __name__ == "__main__":
  sys.exit(main())
