"""What `python -m qm_vae.main --help` prints: at most two screens of 24 lines."""

import ast

from qm_vae.experiments import shelf

FLAGS = {
  "workdir": "folder of the run (default runs/EXPERIMENT or runs/EXPERIMENT-DATA)",
  "distributed": "auto or HOST:PORT,COUNT,INDEX: several processes (docs/devices.md)",
  "members": "several runs as one program; launch.sweep writes it (docs/sweeps.md)",
  "verbosity": "0: also messages of the libraries, and tracebacks of errors",
}
"""The flags that people use; absl's own are left to --helpfull."""

KEYS = {
  "data.root": "folder or file of the dataset; not used by synthetic",
  "data.limit": "use only the first records; 0: all; default 0",
  "epochs": "passes over the training faces; default 40",
  "batch_size": "faces; default 32",
  "seed": "determines every random number of the run; default 0",
  "image_size": "side of the crop in pixels; 0: 64 on a CPU, 128 on a GPU; default 0",
  "alpha": "weight of the service; default 0.4",
  "views": "default ('blindfold', 'mosaic', 'laplace', 'cartoon')",
  "service.checkpoint": "folder of qm_vae.convert or configs/expression.py; '': train on service_data",
  "judges.second.checkpoint": "folder of qm_vae.convert or configs/expression.py; '': train on service_data",
}
"""The ten keys that people change: what each means and its default, as the schema has them."""

_WIDTH = 96
_HEAD = """\
Trains QM-VAE, or a network it needs, evaluates it and writes a report.

  python -m qm_vae.main --config=configs/alpha04.py
  python -m qm_vae.main --config=configs/alpha04.py:celeba_folder --config.data.root=CELEBA

The part after the colon chooses the data: synthetic (default), folder, celeb_a, celeba_folder,
lfw or fer2013. Rerun a command to resume an interrupted run.
"""


def text() -> str:
  """The help text."""
  lines = [_HEAD, "Experiments (--config=FILE or FILE:DATA):"]
  name = lambda path: path.stem if path.is_absolute() else str(path)
  named = [(name(path), _first_line(path)) for path in shelf.experiments() if path.stem != "default"]
  lines += _rows(named)
  lines += ["", "Common keys, --config.KEY=VALUE (all: qm_vae/experiments/schema/config.py):"]
  lines += _rows(list(KEYS.items()))
  lines += ["", "Flags (--helpfull lists the libraries' flags too):"]
  lines += _rows([(f"--{name}", words) for name, words in FLAGS.items()])
  return "\n".join(lines)


def _first_line(path):
  return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")


def _rows(pairs):
  wide = max(len(name) for name, _ in pairs) + 2
  return [_cut(f"  {name:<{wide}}{words}") for name, words in pairs]


def _cut(line):
  return line if len(line) <= _WIDTH else line[: _WIDTH - 3].rpartition(" ")[0].rstrip(",;:`(") + " ..."
