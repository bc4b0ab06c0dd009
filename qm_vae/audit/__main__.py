r"""Measures who can still be recognised in what a tool made of pictures: any tool, any method.

  python -m qm_vae.audit ORIGINALS PROTECTED --embedder=NETWORK --labels=people.csv

ORIGINALS and PROTECTED are two folders whose pictures have the same names (suffixes may differ), or two text files that
list pictures line by line. Who is who comes from a CSV (columns image, identity) or, without one, from the folder that
each picture lies in. --embedder is a face recogniser: a folder that `python -m qm_vae.convert torch-mobilefacenet` or
--config=configs/embedder.py wrote, or an ONNX file; give several to be attacked by all of them.

Writes OUT/audit.json, OUT/audit.html with its figures, and OUT/attackers, where attackers that learn are kept: the
rerun the command to resume an interrupted audit. The page shows faces; --no-pictures leaves them out. Nothing is sent
anywhere or fetched.

Exit status: 0 measured, nothing to object; 1 the audit could not be made, or some files could not be judged; 2 a
control failed, so that the numbers mean nothing; 3 too many people are named (--max-rank1), or a face was left
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
