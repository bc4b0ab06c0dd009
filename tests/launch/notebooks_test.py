"""The notebooks: from top to bottom as Colab runs them, with pictures at the end, and committed without outputs."""

import json
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "launch" / "colab").glob("*.ipynb"))
PICTURES = {"train": 4, "deidentify": 2, "audit": 2}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
  return tmp_path_factory.mktemp("cache")


def test_notebooks_all_listed_here():
  """All are listed here."""
  assert {path.stem for path in NOTEBOOKS} == PICTURES.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_committed_without_outputs_leave_packages(path):
  """They are committed without outputs and leave the packages of colab alone."""
  cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
  assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
  source = "\n".join("".join(cell["source"]) for cell in cells)
  assert "def " not in source and "class " not in source  # the library does the work
  assert [line.split()[-1] for line in source.splitlines() if "pip install" in line] == ["requirements-colab.txt"]
  wanted = [line.split(">")[0] for line in (ROOT / "requirements-colab.txt").read_text().splitlines() if line[0] != "#"]
  everything = (ROOT / "requirements-cpu.txt").read_text() + (ROOT / "requirements-video.txt").read_text()
  assert all(f"\n{name}>" in everything for name in wanted)
  assert not {"jax", "flax", "optax", "orbax-checkpoint", "opencv-python", "numpy"} & set(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_top_bottom_show_pictures(path, cache, tmp_path, monkeypatch):
  """They run from top to bottom and show pictures."""
  nbformat = pytest.importorskip("nbformat", reason="needs requirements-test.txt")
  nbclient = pytest.importorskip("nbclient", reason="needs requirements-test.txt")
  monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  monkeypatch.setenv("XLA_FLAGS", "")
  monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
  monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))  # this environment's kernel, no other one
  notebook = nbformat.read(path, as_version=4)
  client = nbclient.NotebookClient(
    notebook, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
  )
  client.execute()  # raises for a cell that fails
  shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
  message = "".join(output.get("text", "") for output in shown)
  pictures = [output["data"]["image/png"] for output in shown if "image/png" in output.get("data", {})]
  assert len(pictures) == PICTURES[path.stem] and min(map(len, pictures)) > 5000
  assert "Traceback" not in message and "error:" not in message and "os.fork" not in message, message[-3000:]
