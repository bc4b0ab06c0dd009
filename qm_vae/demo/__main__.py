"""A page on this machine that hides the faces of an uploaded picture by each method, side by side.

  pip install -r requirements-demo.txt
  python -m qm_vae.demo
  python -m qm_vae.demo --method=solid --method=runs/private --method=exported.zip
  python -m qm_vae.demo --gallery=consenting/ --landmarks=networks/landmarks

The page shows the original, the paper's views and the means of other people's faces; --method names others. Without
--gallery the means are of drawn people. It is for looking: qm_vae.deidentify writes files and says what became of each
face. Only this machine reaches the page, and nothing is sent anywhere; uploads are removed when the program ends.
"""

import argparse
import importlib.util
import os
import pathlib
import signal
import sys
import tempfile
import threading

from qm_vae.arguments import Parser
from qm_vae.errors import InputError

OK, USAGE = 0, 2

_FIRST, _EXAMPLES = 0, 4  # drawn people to begin with


def main(arguments: list[str] | None = None) -> int:
  """The command line; returns the exit status."""
  given = _parser().parse_args(arguments)
  if importlib.util.find_spec("gradio") is None:
    print("error: the demo needs Gradio: pip install -r requirements-demo.txt", file=sys.stderr)
    return USAGE
  with tempfile.TemporaryDirectory(prefix="qm_vae_demo_") as scratch:
    os.environ["GRADIO_TEMP_DIR"] = scratch  # where uploads lie; read when Gradio is imported
    return _run(given, pathlib.Path(scratch))


def _run(given, scratch):
  from qm_vae.demo import comparing, page
  from qm_vae.io import cache, images

  cache.use(cache.user_cache() / "xla")
  try:
    print("Opening the methods.", flush=True)
    compare = comparing.Comparison(
      given.method or comparing.USUAL,
      detector=given.detector,
      gallery=given.gallery,
      service=given.service,
      landmarks=given.landmarks,
    )
    examples = []
    for number, record in enumerate(comparing.drawn_people(_FIRST, _EXAMPLES)):
      examples.append(str(scratch / f"drawn_{number}.png"))
      images.write_png(pathlib.Path(examples[-1]), record.image)
    built = page.build(compare, examples)
    address = page.serve(built, given.port)
  except (InputError, OSError) as error:
    print(f"error: {error}", file=sys.stderr)
    return USAGE
  ended = threading.Event()
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: ended.set())
  print(f"{address}\nOpen this address in a browser on this machine; Ctrl-C ends the demo.", flush=True)
  ended.wait()
  built.close(verbose=False)
  return OK


def _parser():
  made = Parser(
    prog="python -m qm_vae.demo",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = made.add_argument
  add("--method", action="append", metavar="NAME|RUN|FILE", help="as of qm_vae.deidentify; several times")
  add("--gallery", default="", metavar="FOLDER", help="pictures of people whose faces are averaged (default: drawn)")
  add("--service", default="", metavar="FOLDER", help="expression network whose answer the means keep")
  add("--landmarks", default="", metavar="FOLDER", help="landmark network (qm_vae.convert faceapi-landmarks)")
  add("--detector", default="auto", metavar="NAME|FILE", help="who finds the faces (default: the best installed)")
  add("--port", type=int, help="of 127.0.0.1 (default: one that is free, from 7860 on)")
  return made


if __name__ == "__main__":
  sys.exit(main())
