"""One picture by several methods, and the command line of the demo; the page is in browser_demo_test.py."""

import importlib.util

import numpy as np
import pytest

from qm_vae.demo import __main__ as program
from qm_vae.demo import comparing
from qm_vae.errors import InputError

FIRST = 0  # whose face the cascade finds


@pytest.fixture(scope="module")
def picture():
  return comparing.drawn_people(FIRST, 1)[0].image


def test_comparison_shows_each_method_in_order(picture):
  """Every method hides the same face, nothing outside of it changes, and weak methods are marked."""
  done = comparing.Comparison(("solid", "mosaic:block=8", "cartoon"), detector="haar")(picture)
  assert done.faces == 1 and [one.method for one in done.hidden] == ["solid", "mosaic:block=8", "cartoon"]
  assert [one.recognisable for one in done.hidden] == [False, False, True]
  for one in done.hidden:
    assert one.error == "" and one.image is not None
    changed = (one.image != picture).any(-1)
    assert changed[60:130, 60:130].mean() > 0.5 and not changed[-10:].any()
  assert done.hidden[0].image is not None and not done.hidden[0].image[80:110, 80:110].any()


def test_comparison_without_face_leaves_picture():
  """Where no face is found, every picture is the given one and the count says so."""
  grey = np.full((64, 64, 3), 128, np.uint8)
  done = comparing.Comparison(("solid", "mosaic"), detector="haar")(grey)
  assert done.faces == 0
  for one in done.hidden:
    np.testing.assert_array_equal(one.image, grey)


def test_comparison_method_that_fails_shows_nothing(picture, monkeypatch):
  """A method that cannot hide a face shows no picture and says why; the others are shown."""
  protect = comparing.pictures.protect
  fails = lambda image, detector, hider, selection: (
    protect(image, detector, hider, selection) if hider is first else _fail()
  )
  compare = comparing.Comparison(("solid", "mosaic"), detector="haar")
  first, _ = compare._hiders["solid"]
  monkeypatch.setattr(comparing.pictures, "protect", fails)
  solid, mosaic = compare(picture).hidden
  assert solid.image is not None and mosaic.image is None and mosaic.error == "it went wrong"


def _fail():
  raise InputError("it went wrong")


def test_demo_names_the_missing_extra(monkeypatch, capsys):
  """Without Gradio the program says in one line what to install."""
  find = importlib.util.find_spec
  monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gradio" else find(name, *rest))
  assert program.main([]) == program.USAGE
  assert capsys.readouterr().err == "error: the demo needs Gradio: pip install -r requirements-demo.txt\n"
