"""Several inputs in one call, names beside them, scores in the picture, and a picture over every face."""

import json

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import options, scores


@pytest.fixture
def pictures(tmp_path, monkeypatch):
  """a.png and b.png, each with a drawn face; the program runs beside them."""
  monkeypatch.chdir(tmp_path)
  source = synthetic.make(num_people=2, images_per_person=1, frame_size=96, seed=0)
  for n, name in enumerate(("a.png", "b.png")):
    Image.fromarray(source[n].image).save(name)
  return tmp_path


def names(folder):
  return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("arguments", [["a.png", "b.png", "out/"], ["a.png", "b.png", "-o", "out/"]])
def test_several_inputs_go_to_a_folder(arguments, pictures, capsys):
  """Several inputs go to a folder, each with its record, and the end is said once."""
  assert program.main(arguments) == program.OK
  assert names(pictures / "out") == {"a.png", "a.png.json", "b.png", "b.png.json"}
  text = capsys.readouterr().err
  assert "2 faces hidden in 2 pictures; 0 failures" in text and "output: out/b.png" in text
  assert json.loads((pictures / "out" / "b.png.json").read_text())["source"]["name"] == "b.png"


def test_several_inputs_beside_themselves(pictures):
  """With --beside every argument is an input, and no original is replaced."""
  before = (pictures / "b.png").read_bytes()
  assert program.main(["a.png", "b.png", "--beside"]) == program.OK
  assert names(pictures) == {name + end for name in ("a.png", "b.png", "a.safe.png", "b.safe.png") for end in ("",)} | {
    "a.safe.png.json", "b.safe.png.json"
  }  # fmt: skip
  assert (pictures / "b.png").read_bytes() == before


def test_several_inputs_one_fails_the_others_go_on(pictures, capsys):
  """A damaged input is a failure, and the next one is done."""
  (pictures / "a.png").write_bytes(b"no picture")
  assert program.main(["a.png", "b.png", "out/"]) == program.FAILED
  assert "error: " in capsys.readouterr().err and (pictures / "out" / "b.png").exists()


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["a.png", "b.png", "c.png"], "end it with /"),
    (["a.png", "./a.png", "out/"], "would both be out/a.png"),
    (["a.png", "b.png", "out/", "--sidecar=x.json"], "are of one IN"),
    (["a.png", "--beside", "-o", "x.png"], "leave --output out"),
    (["a.png", "x.png", "-o", "y.png"], "given twice"),
    (["a.png", "x.png", "--method=image:file=absent.png"], "absent.png cannot be read"),
  ],
)
def test_several_inputs_refused(arguments, message, pictures, capsys):
  """What cannot be meant is refused before anything is written."""
  try:
    status = program.main(arguments)
  except SystemExit as stopped:
    status = stopped.code
  assert status == program.USAGE and message in capsys.readouterr().err
  assert names(pictures) == {"a.png", "b.png"}


def test_several_version(capsys):
  """--version names the program and its version."""
  with pytest.raises(SystemExit) as stopped:
    options.parse(["--version"])
  assert stopped.value.code == 0 and capsys.readouterr().out.startswith("qm_vae ")


def test_scores_are_drawn_inside_the_picture():
  """Each digit has its own shape, a score is white on black at its box, and boxes beyond the border do no harm."""
  assert len(set(scores._ROWS.values())) == 11
  picture = np.full((60, 80, 3), 100, np.uint8)
  scores.draw(picture, [np.float32([10, 20, 30, 30]), np.float32([75, -9, 30, 30])], [0.5, 1.0])
  np.testing.assert_array_equal(picture[20:27, 10:27, 0], scores._label("0.50"))
  np.testing.assert_array_equal(picture[0:7, 63:80, 0], scores._label("1.00"))
  tiny = np.zeros((3, 4, 3), np.uint8)
  scores.draw(tiny, [np.float32([0, 0, 3, 3])], [0.25])


def test_scores_and_image_in_a_picture(pictures):
  """--draw-scores writes the score over what hides the face, which may be a picture."""
  Image.fromarray(np.full((30, 50, 3), (200, 10, 10), np.uint8)).save("red.png")
  program.main(["a.png", "red/a.png", "--method=image:file=red.png"])
  (pictures / "red").mkdir()
  assert program.main(["a.png", "red/a.png", "--method=image:file=red.png", "--draw-scores"]) == program.OK
  (face,) = json.loads((pictures / "red" / "a.png.json").read_text())["faces"]
  x, y, width, height = (int(v) for v in face["box"])
  made = np.asarray(Image.open("red/a.png"))
  assert (made[y + height // 2, x + width // 2] == (200, 10, 10)).all()
  np.testing.assert_array_equal(made[max(y, 0) :][:1, max(x, 0) :][0, :1], [[0, 0, 0]])
