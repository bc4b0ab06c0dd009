"""Number plates and other things: YOLO's outputs, its classes by name, and what is refused."""

import json

import numpy as np
import pytest
from onnx_files import constant, node, write
from PIL import Image

from qm_vae import types
from qm_vae.deidentify import __main__ as program
from qm_vae.faces.detectors import objects

NAMES = "{0: 'car', 1: 'license_plate', 2: 'dog'}"
PLATE, CAR = (200.0, 100.0, 80.0, 40.0), (320.0, 160.0, 600.0, 300.0)  # centre and size, of an input of 640 x 320


def network(path, answer, names=NAMES):
  """A network of input 640 x 320 that answers `answer` for every picture."""
  answer = np.asarray(answer, np.float32)[None]
  graph = constant("answer", answer) + constant("zero", [0.0])
  graph += node("ReduceMean", ["x"], "mean") + node("Mul", ["mean", "zero"], "nothing")
  graph += node("Flatten", ["nothing"], "flat") + node("Add", ["answer", "flat"], "y")
  return write(path, [("x", (1, 3, 320, 640))], graph, [("y", answer.shape)], **({"names": names} if names else {}))


def yolo8():
  rows = [[*CAR, 0.9, 0.0, 0.0], [*PLATE, 0.1, 0.8, 0.0], [*PLATE, 0.0, 0.6, 0.0], [*CAR, 0.0, 0.05, 0.0]]
  return np.array(rows + [[0] * 7] * 6).T  # [7, 10]


def yolo5():
  return np.array([[*CAR, 0.9, 1.0, 0.0, 0.0], [*PLATE, 0.8, 0.0, 1.0, 0.0]] + [[0] * 8] * 10)


def chosen():
  return np.array([[20, 10, 620, 310, 0.9, 0], [160, 80, 240, 120, 0.8, 1], [0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("answer", [yolo8(), yolo5(), chosen()], ids=["v8", "v5", "chosen"])
@pytest.mark.parametrize("named", ["license_plate", "1"])
def test_objects_of_a_class(answer, named, tmp_path):
  """The plate is found once, in pixels of a picture of another size, and the car is not."""
  detector = objects.of_file(network(tmp_path / "y.onnx", answer), [named])
  found = detector.find(np.zeros((640, 1280, 3), np.uint8))  # twice the input's
  np.testing.assert_allclose(found.boxes, [[320, 160, 160, 80]], atol=1e-3)
  np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)
  tall = detector.find(np.zeros((640, 640, 3), np.uint8))  # fitted at half its size, with a bar on the right
  np.testing.assert_allclose(tall.boxes, [[320, 160, 160, 80]], atol=1e-3)


def test_objects_small_ones_are_passed_over(tmp_path):
  """`min_size` counts pixels of the frame."""
  path = network(tmp_path / "y.onnx", yolo8())
  image = np.zeros((160, 320, 3), np.uint8)
  assert len(objects.of_file(path, ["1"], min_size=40).find(image).boxes) == 1
  assert len(objects.of_file(path, ["1"], min_size=41).find(image).boxes) == 0


@pytest.mark.parametrize(
  ("answer", "names", "wanted", "message"),
  [
    (yolo8(), NAMES, "plate", "has no class 'plate'; it has 0 car, 1 license_plate, 2 dog"),
    (yolo8(), "", "plate", "no names: give a number"),
    (yolo8(), "__import__('os').system('x')", "plate", "no names: give a number"),
    (yolo8()[0], NAMES, "1", "understood are YOLO's"),
  ],
)
def test_objects_refused(answer, names, wanted, message, tmp_path):
  """A class that there is not, words that are no dict, and another form are errors that name what there is."""
  with pytest.raises(ValueError, match=message.replace("(", r"\(")):
    objects.of_file(network(tmp_path / "y.onnx", answer, names), [wanted])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 7.0])
def test_objects_damaged_answers_are_errors(wrong, tmp_path):
  """What is not finite or no score is an error, never "nothing there"."""
  answer = yolo8()
  answer[5, 3] = wrong
  detector = objects.of_file(network(tmp_path / "y.onnx", answer), ["license_plate"])
  with pytest.raises(ValueError, match="its file is damaged"):
    detector.find(np.zeros((320, 640, 3), np.uint8))


def test_objects_beside_faces(tmp_path):
  """Faces and things are found together, and a thing at its own threshold is as sure as a face at that."""
  face = types.Detections(np.float32([[1, 2, 30, 40]]), np.float32([0.9]))
  faces = types.Detector(lambda image: face, 0.5, 0.25, {"name": "made up"})
  both = objects.beside(faces, objects.of_file(network(tmp_path / "y.onnx", chosen()), ["1"], threshold=0.8))
  found = both.find(np.zeros((320, 640, 3), np.uint8))
  np.testing.assert_allclose(found.boxes, [[1, 2, 30, 40], [160, 80, 80, 40]], atol=1e-3)
  np.testing.assert_allclose(found.scores, [0.9, 0.5], atol=1e-6)
  assert both.description["objects"]["classes"] == ["1"]


def test_objects_are_hidden_by_the_program(tmp_path, monkeypatch, capsys):
  """The plate is painted over, by the methods that hide what is no face."""
  monkeypatch.chdir(tmp_path)
  network(tmp_path / "y.onnx", yolo8())
  image = np.random.default_rng(0).integers(0, 256, (320, 640, 3), dtype=np.uint8)
  Image.fromarray(image).save("in.png")
  given = ["in.png", "out.png", "--detector=haar", "--objects=y.onnx:license_plate"]
  assert program.main([*given, "--method=mosaic", "--mosaic-size=10"]) == program.OK
  record = json.loads((tmp_path / "out.png.json").read_text())
  assert [160, 80, 80, 40] in [face["box"] for face in record["faces"]]
  with Image.open("out.png") as made:
    hidden = np.asarray(made)[80:120, 160:240].astype(int)
  assert (np.abs(hidden - image[80:120, 160:240]) > 0).mean() > 0.9
  with pytest.raises(SystemExit) as stopped:
    program.main([*given, "--method=cartoon"])
  assert stopped.value.code == program.USAGE and "hides faces alone" in capsys.readouterr().err
