r"""Opens the output of `deidentify` for review in the browser, and writes the auditor's page.

  python -m qm_vae.review safe.mp4.json                        # a page on this machine only; Ctrl-C ends it
  python -m qm_vae.review safe.mp4.json --page                 # writes safe.mp4.html and ends
  python -m qm_vae.review safe.mp4.json --page --coverage=centerface

The page shows protected frames, doubtful moments first, and an original only on request. Every decision is saved at
once in OUT.review.json; "Apply" reruns `deidentify` with it. The address contains a random token: anyone who has the
whole address can see and decide everything, so do not share it.
"""

import argparse
import pathlib
import signal
import sys

from qm_vae.errors import InputError

OK, USAGE = 0, 2


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  given = _parser().parse_args(arguments)
  from qm_vae.review import auditor, coverage, server, session  # --help does not wait for them

  try:
    opened = session.Session(given.sidecar, given.source, given.protected, given.review_file)
    if given.coverage:
      coverage.measure(opened.work, given.coverage)
    if given.page or given.coverage:
      print(auditor.write(opened))
      return OK
    made = server.Server(opened, given.port)
  except (InputError, OSError) as error:
    print(f"error: {error}", file=sys.stderr)
    return USAGE
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  print(f"{made.address}\nOpen this address in a browser on this machine; Ctrl-C ends the review.", flush=True)
  try:
    made.serve_forever()
  except KeyboardInterrupt:
    pass
  finally:
    opened.application.stop()
    made.server_close()
  print(f"What was decided is in {opened.saved.path}." if opened.saved.path.exists() else "Nothing was decided.")
  return OK


def _parser():
  made = argparse.ArgumentParser(
    prog="python -m qm_vae.review",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  path = lambda text: pathlib.Path(text).expanduser()
  made.add_argument("sidecar", metavar="OUT.json", type=path, help="what python -m qm_vae.deidentify wrote beside OUT")
  made.add_argument("--source", type=path, metavar="PATH", help="IN, where it is no longer where OUT.json says")
  made.add_argument("--protected", type=path, metavar="PATH", help="OUT (default: OUT.json without .json)")
  made.add_argument("--review-file", type=path, metavar="FILE", help="(default: OUT.review.json)")
  made.add_argument("--port", type=int, default=0, help="of 127.0.0.1 (default: any that is free)")
  made.add_argument("--page", action="store_true", help="write the auditor's page, OUT.html, and end")
  measured = "let this detector look at the originals first, write OUT.coverage.json, then the page"
  made.add_argument("--coverage", metavar="DETECTOR", help=measured)
  return made


if __name__ == "__main__":
  sys.exit(main())
