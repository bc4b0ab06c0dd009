"""The tutorials: every command of a page is run in order, in an empty folder, and leaves what the page says."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "tutorial"
LEFT = {  # what must lie in the folder at the end, and the least bytes of it
  "clip": {"safe.mp4": 1000, "safe.mp4.preview.png": 1000, "mean.mp4.preview.png": 1000, "safe.mp4.html": 1000},
  "train": {"runs/first/report.html": 10_000, "first.zip": 10_000, "first.zip.md": 3000, "audit/audit.html": 10_000},
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(path):
  """(language, text) of every fenced block of a page."""
  return BLOCK.findall(path.read_text(encoding="utf-8"))


def test_tutorials_are_listed_and_in_the_navigation():
  """Each page is tested below, is in the site's navigation, and holds nothing but commands that are run."""
  pages = sorted(FOLDER.glob("*.md"))
  assert {page.stem for page in pages} == LEFT.keys()
  navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
  for page in pages:
    assert f"tutorial/{page.name}" in navigation
    assert {language for language, _ in blocks(page)} == {"python", "sh"}
    for target in re.findall(r"\]\(([\w./-]+\.md)", page.read_text(encoding="utf-8")):
      assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.slow
@pytest.mark.parametrize("name", LEFT)
def test_tutorial_runs_as_written(name, tmp_path):
  """Its blocks run one after another, as they are printed."""
  if name == "clip":
    pytest.importorskip("av", reason="requirements-video.txt is not installed")
  folder = tmp_path / "empty"
  folder.mkdir()
  environment = os.environ | {
    "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "XDG_CACHE_HOME": str(tmp_path / "cache"),
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "",
  }
  for language, text in blocks(FOLDER / f"{name}.md"):
    program = [sys.executable, "-c"] if language == "python" else ["bash", "-euc"]
    done = subprocess.run(
      [*program, text], cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
  for file, least in LEFT[name].items():
    assert (folder / file).stat().st_size >= least, file
