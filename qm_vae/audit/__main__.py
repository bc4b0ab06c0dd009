r"""Measures whether people can be re-identified in the output of any tool.

  python -m qm_vae.audit ORIGINALS PROTECTED --embedder=NETWORK --labels=people.csv

ORIGINALS and PROTECTED are two folders whose pictures have the same names (suffixes may differ), or two text files that
list pictures line by line. Identities come from a CSV (columns image, identity) or, without one, from the folder of
each picture. --embedder is a face recogniser: a folder written by `python -m qm_vae.convert torch-mobilefacenet` or
--config=configs/embedder.py, or an ONNX file. Give several to attack with all of them.

Writes OUT/audit.json, OUT/audit.html with its figures, and the trained attackers in OUT/attackers. Rerun the command
to resume an interrupted audit. The page shows faces; --no-pictures leaves them out. Nothing is sent or fetched.

Exit status: 0 measured, no objection; 1 the audit could not be made, or some files could not be judged; 2 a control
failed, so the numbers mean nothing; 3 too many people are re-identified (--max-rank1), or a face was left
unprotected.
"""

import shlex
import sys

from qm_vae.audit import options as audit_options
from qm_vae.errors import InputError


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  arguments = sys.argv[1:] if arguments is None else arguments
  options = audit_options.parser(__doc__, wrong=audit_options.NOT_JUDGED).parse_args(arguments)
  from qm_vae.audit.audit import audit  # --help does not wait for them
  from qm_vae.io import cache
  from qm_vae.report import attacks

  cache.use(cache.user_cache() / "xla")
  try:
    report = audit(options, "python -m qm_vae.audit " + shlex.join(arguments))
  except (InputError, OSError) as error:
    print(f"error: {error}", file=sys.stderr)
    return audit_options.NOT_JUDGED
  print(attacks.headline(report["privacy"], report["privacy"]["methods"][-1]))
  for line in report["verdict"]["lines"]:
    print(line)
  for one in report["unprotected"][:20]:
    print(f"  unprotected: {one['name']}" + (f" ({one['psnr']:.1f} dB)" if one["psnr"] is not None else " (identical)"))
  files = report["files"]
  for one in (files["unreadable"] + files["incomparable"] + files["further"])[:20]:
    print(f"  not judged: {one['name']}: {one['reason']}")
  print(f"Report: {options.out / 'audit.html'}")
  return report["verdict"]["exit"]


if __name__ == "__main__":
  sys.exit(main())
