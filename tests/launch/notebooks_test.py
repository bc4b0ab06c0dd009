"""The notebooks: from top to bottom as Colab runs them, with pictures at the end, and committed without outputs."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "launch" / "colab").glob("*.ipynb"))
PICTURES = {"train": 5, "deidentify": 3, "audit": 2}


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


def code_cells(path):
  return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_notebooks_begin_alike_and_end_in_a_picture():
  """One first cell for all; the last code cell shows a picture."""
  first = {"".join(code_cells(path)[0]["source"]) for path in NOTEBOOKS}
  assert len(first) == 1
  for path in NOTEBOOKS:
    last = "".join(code_cells(path)[-1]["source"])
    assert "Image(" in last or "imshow(" in last, path.name


def in_clone(folder):
  """The notebook's own place in a clone."""
  for name in ("qm_vae", "configs", "launch"):
    shutil.copytree(ROOT / name, folder / "clone" / name, ignore=shutil.ignore_patterns("__pycache__"))
  return folder / "clone" / "launch" / "colab", "", folder / "clone"


def uploaded(folder):
  """A folder with the repository's ZIP in it, laid out as a code host packs it, beside another ZIP."""
  in_clone(folder / "packed")
  (folder / "content").mkdir()
  shutil.make_archive(str(folder / "content" / "repository"), "zip", folder / "packed", "clone")
  shutil.make_archive(str(folder / "content" / "a"), "zip", ROOT / "docs" / "pictures")
  return folder / "content", "", folder / "content" / "qm-vae" / "clone"


def by_address(folder):
  """An empty folder, and the address of a repository."""
  (folder / "content").mkdir()
  in_clone(folder)
  author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
  for arguments in (("init", "-q"), ("add", "qm_vae"), (*author, "commit", "-q", "-m", "all")):
    subprocess.run(["git", "-C", str(folder / "clone"), *arguments], check=True, capture_output=True)
  return folder / "content", (folder / "clone").as_uri(), folder / "content" / "qm-vae"


def nothing(folder):
  """An empty folder."""
  return folder, "", None


@pytest.mark.slow
@pytest.mark.parametrize("place", [in_clone, uploaded, by_address, nothing], ids=lambda place: place.__name__)
def test_notebooks_first_cell_as_shipped(place, tmp_path, monkeypatch):
  """The first cell finds the package in a clone, in an upload and by an address; elsewhere it says what to do."""
  nbformat = pytest.importorskip("nbformat", reason="needs requirements-test.txt")
  nbclient = pytest.importorskip("nbclient", reason="needs requirements-test.txt")
  cwd, address, expected = place(tmp_path)
  monkeypatch.delenv("PYTHONPATH", raising=False)
  monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
  first = "".join(code_cells(NOTEBOOKS[0])[0]["source"]).replace('REPOSITORY = ""', f'REPOSITORY = "{address}"')
  then = "import qm_vae\nprint(pathlib.Path(qm_vae.__file__).parents[1], pathlib.Path.cwd(), RESULTS)"
  cells = [nbformat.v4.new_code_cell(source) for source in (first, then)]
  notebook = nbformat.v4.new_notebook(cells=cells)
  resources = {"metadata": {"path": str(cwd)}}
  client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources)
  if expected is None:
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="upload the repository's ZIP"):
      client.execute()
    return
  client.execute()
  printed = "".join(output.get("text", "") for output in notebook.cells[1]["outputs"]).split()
  assert printed == [str(expected), str(expected), str(cwd / "results")]


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
