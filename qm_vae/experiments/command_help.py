"""What `python -m qm_vae.main --help` prints: at most two screens of 24 lines."""

import ast
import pathlib

from qm_vae.experiments import schema

FLAGS = {
  "workdir": "folder of the run (default runs/EXPERIMENT or runs/EXPERIMENT-DATA)",
  "distributed": "auto or HOST:PORT,COUNT,INDEX: several processes (docs/devices.md)",
  "members": "several runs as one program; launch.sweep writes it (docs/sweeps.md)",
  "verbosity": "0: messages of the libraries, and where in the code an error arose",
}
"""The flags that people use; absl's own are left to --helpfull."""

KEYS = (
  "data.root",
  "data.limit",
  "epochs",
  "batch_size",
  "seed",
  "image_size",
  "alpha",
  "views",
  "service.checkpoint",
  "judges.second.checkpoint",
)
"""The ten keys that people change."""

_WIDTH = 96
_HEAD = """\
Trains QM-VAE, or a network it needs, judges it and writes a report.

  python -m qm_vae.main --config=configs/alpha04.py
  python -m qm_vae.main --config=configs/alpha04.py:celeba_folder --config.data.root=CELEBA

The part after the colon chooses the data: synthetic (default), folder, celeb_a, celeba_folder,
lfw or fer2013. Rerun a command to resume an interrupted run.
"""


def experiments() -> list[pathlib.Path]:
  """The files of experiments: those below configs/ of the current folder."""
  return sorted(path for path in pathlib.Path("configs").glob("*.py") if not path.stem.startswith("_"))


def text() -> str:
  """The help text."""
  lines = [_HEAD, "Experiments (--config=FILE or FILE:DATA):"]
  named = [(str(path), _first_line(path)) for path in experiments() if path.stem != "default"]
  lines += _rows(named) if named else ["  none here; start in the folder that holds configs/"]
  lines += ["", "Keys that people change, --config.KEY=VALUE (all: qm_vae/experiments/schema/config.py):"]
  lines += _rows([(key, _describe(key)) for key in KEYS])
  lines += ["", "Flags (--helpfull lists those of the libraries too):"]
  lines += _rows([(f"--{name}", words) for name, words in FLAGS.items()])
  return "\n".join(lines)


def _first_line(path):
  return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")


def _describe(key):
  found = schema.declared_for(key)
  assert found is not None, key
  default = schema.flatten(schema.plain(schema.Config()))[key]
  words = [f"default {default!r}"] if default not in ("", ()) else []
  return "; ".join([*filter(None, [found.unit]), *words]) or found.rule.allowed


def _rows(pairs):
  wide = max(len(name) for name, _ in pairs) + 2
  return [_cut(f"  {name:<{wide}}{words}") for name, words in pairs]


def _cut(line):
  return line if len(line) <= _WIDTH else line[: _WIDTH - 3].rpartition(" ")[0].rstrip(",;:`(") + " ..."
