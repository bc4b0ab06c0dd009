"""One command for all programs: `qm-vae COMMAND ...`, or `python -m qm_vae COMMAND ...`."""

import runpy
import sys

import qm_vae
from qm_vae.arguments import nearest
from qm_vae.experiments import shelf

COMMANDS = {
  "deidentify": ("qm_vae.deidentify", "hide the faces of pictures, folders, video, cameras and streams"),
  "review": ("qm_vae.review", "check the result in the browser, correct it, sign it"),
  "demo": ("qm_vae.demo", "show a picture's faces hidden by each method, in the browser"),
  "audit": ("qm_vae.audit", "re-identify people in the output of any tool, and measure what remains of the faces"),
  "train": ("qm_vae.main", "train QM-VAE, or a network it needs, evaluate it and write a report"),
  "evaluate": ("qm_vae.evaluate", "evaluate a finished run again"),
  "export": ("qm_vae.export", "pack a finished run into one file, for deidentify --method=FILE"),
  "report": ("qm_vae.report", "redraw the page of a run or an audit"),
  "convert": ("qm_vae.convert", "convert public networks"),
  "sweep": ("launch.sweep", "run a grid of experiments, locally or on SLURM"),
  "bulk": ("launch.bulk", "hide the faces of many files on many machines, with Ray"),
  "bench": ("qm_vae.bench", "measure speed and memory"),
}
"""{command: (module, what it does)}."""

_HEAD = """\
usage: qm-vae COMMAND ...

Hides people's identity in pictures and video, keeps what a service needs from the face, and measures the privacy.

"""
_TAIL = """
See qm-vae COMMAND --help. python -m MODULE ... does the same (modules: docs/architecture.md).
"""


def main(arguments: list[str] | None = None) -> int:
  """Runs a command as its module would run; returns or exits with its status, 2 where there is no such command."""
  given = sys.argv[1:] if arguments is None else arguments
  if not given or given[0] in ("-h", "--help", "help"):
    rows = "".join(f"  {name:<12}{words}\n" for name, (_, words) in COMMANDS.items())
    print(f"{_HEAD}{rows}{_TAIL}", end="")
    return 0 if given else 2
  if given[0] == "--version":
    print(f"qm-vae {qm_vae.__version__}")
    return 0
  if given[0] not in COMMANDS:
    print(f"error: there is no command {given[0]!r}; {nearest(given[0], COMMANDS)}see qm-vae --help", file=sys.stderr)
    return 2
  module = COMMANDS[given[0]][0]
  if module.startswith("launch."):
    shelf.make_importable("launch")
  sys.argv = [module, *given[1:]]
  runpy.run_module(module, run_name="__main__", alter_sys=True)
  return 0


if __name__ == "__main__":
  sys.exit(main())
