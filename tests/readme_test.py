"""README and docs: their links lead somewhere, and the picture is the one that is drawn."""

import importlib.util
import pathlib
import re

import cv2
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_readme_links_lead_to_files(page):
  """Every relative link of a page names a file that there is."""
  for target in re.findall(r"\]\(([\w./-]+\.(?:md|py|png))", page.read_text(encoding="utf-8")):
    assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_configs_and_modules_exist():
  """Every config and every program that the README names is there."""
  text = (ROOT / "README.md").read_text(encoding="utf-8")
  for name in re.findall(r"configs/(\w+)\.py", text):
    assert (ROOT / "configs" / f"{name}.py").exists(), name
  for module in re.findall(r"python -m ([\w.]+)", text):
    if module not in ("venv", "pytest"):
      assert importlib.util.find_spec(module), module


@pytest.mark.slow
def test_readme_picture_is_the_one_that_is_drawn():
  """docs/pictures/faces.png is what docs/pictures/make.py draws."""
  path = ROOT / "docs" / "pictures" / "make.py"
  spec = importlib.util.spec_from_file_location("make_picture", path)
  assert spec and spec.loader
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  kept = cv2.imread(str(path.parent / "faces.png"))[..., ::-1]
  drawn = module.sheet()
  assert kept.shape == drawn.shape
  # The sums of a mean differ in their last digits from one processor to another; letters come from OpenCV.
  assert np.abs(kept.astype(int) - drawn).mean() < 0.5
