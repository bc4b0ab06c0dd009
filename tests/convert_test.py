"""Conversion of the public mini_XCEPTION: a fabricated file for the mapping, the real one for the numbers."""

import json
import os
import pathlib

import h5py
import numpy as np
import pytest

from qm_vae import convert, network_file
from qm_vae.services import expression

ROOT = pathlib.Path(__file__).parents[1]
DATA = pathlib.Path(os.environ.get("QM_VAE_DATA") or ROOT / "../shared/data").resolve()
HDF5 = DATA / "weights/fer/fer2013_mini_XCEPTION.102-0.66.hdf5"
ONNX = DATA / "weights/fer/fer2013_mini_xception.onnx"
FER2013 = DATA / "fer2013/fer2013_train_public.npz"
needs = lambda *paths: pytest.mark.skipif(
  not all(path.exists() for path in paths), reason=f"needs {', '.join(path.name for path in paths)} under {DATA}"
)


def _fabricate(path, *, first=1, change=None, config=None):
  """A Keras-like file in the layout of mini_XCEPTION, with `first` as the number of each kind's first layer."""
  random = np.random.default_rng(0)
  names = {}
  with h5py.File(path, "w") as file:
    layers = [
      {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 48, 48, 1]}},
      {"class_name": "BatchNormalization", "config": {"epsilon": 1e-3}},
    ]
    file.attrs["model_config"] = json.dumps(config or {"config": {"layers": layers}})
    for target, (kind, number, tensor, shape) in convert._keras_layout().items():
      layer = f"{kind}_{number + first - 1}"
      names[target] = f"model_weights/{layer}/{layer}_1/{tensor}:0"
      file[names[target]] = random.standard_normal(shape, dtype=np.float32)
    file["optimizer_weights/moment:0"] = np.zeros(3)
    if change:
      change(file)
  return names


@pytest.mark.parametrize("first", [1, 8])  # Keras numbers on when several networks are built in one process
def test_every_tensor_lands_in_its_place(tmp_path, capsys, first):
  names = _fabricate(tmp_path / "net.hdf5", first=first)
  convert.main(["keras-expression", str(tmp_path / "net.hdf5"), str(tmp_path / "out")])
  assert "mini_xception, 56951 parameters, angry, disgust" in capsys.readouterr().out
  meta, variables = network_file.load(tmp_path / "out")
  assert meta["input_size"] == 48 and "net.hdf5" in meta["source"]
  with h5py.File(tmp_path / "net.hdf5") as file:
    for target, name in names.items():
      found = variables
      for part in target.split("/"):
        found = found[part]
      np.testing.assert_array_equal(found.ravel(), file[name][...].ravel(), err_msg=target)
  expression.load(tmp_path / "out")  # refuses shapes that do not fit the network


def _drop(name):
  return lambda file: file.__delitem__(name)


def _add(name, shape):
  return lambda file: file.__setitem__(name, np.zeros(shape))


def _reshape(name, shape):
  def change(file):
    del file[name]
    file[name] = np.zeros(shape)

  return change


@pytest.mark.parametrize(
  "change, message",
  [
    (_drop("model_weights/conv2d_2/conv2d_2_1/kernel:0"), r"expected conv2d 2 with kernel of shape \(3, 3, 8, 8\)"),
    (_reshape("model_weights/conv2d_7/conv2d_7_1/bias:0", (5,)), r"bias of shape \(7,\), found \(5,\)"),
    (_add("model_weights/conv2d_9/conv2d_9_1/kernel:0", (1,)), "1 tensors are left over, first conv2d 8 kernel"),
    (_add("model_weights/strange", (1,)), "holds a tensor called strange"),
    (_drop("model_weights"), "holds no model_weights"),
    (lambda file: file.attrs.__delitem__("model_config"), "holds no model_weights with a model_config"),
  ],
)
def test_other_networks_are_refused_by_name(tmp_path, change, message):
  _fabricate(tmp_path / "net.hdf5", change=change)
  with pytest.raises(ValueError, match=rf"net\.hdf5.*{message}"):
    convert.keras_expression(tmp_path / "net.hdf5")


@pytest.mark.parametrize(
  "layer, message",
  [
    (
      {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 64, 64, 3]}},
      "expected one square grey image",
    ),
    ({"class_name": "BatchNormalization", "config": {"epsilon": 1e-5}}, "expected 0.001 everywhere"),
  ],
)
def test_other_settings_are_refused(tmp_path, layer, message):
  layers = {
    "InputLayer": {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 64, 64, 1]}},
    "BatchNormalization": {"class_name": "BatchNormalization", "config": {"epsilon": 1e-3}},
  } | {layer["class_name"]: layer}
  _fabricate(tmp_path / "net.hdf5", config={"config": {"layers": list(layers.values())}})
  with pytest.raises(ValueError, match=message):
    convert.keras_expression(tmp_path / "net.hdf5")


def test_files_that_are_no_hdf5(tmp_path):
  (tmp_path / "net.onnx").write_bytes(b"no such format")
  for name, message in (("net.onnx", "is not HDF5"), ("absent.hdf5", "is no file")):
    with pytest.raises(SystemExit, match=rf"error: .*{name} {message}.*whole Keras 2 model"):
      convert.main(["keras-expression", str(tmp_path / name), str(tmp_path / "out")])
  assert not (tmp_path / "out").exists()


def test_help_teaches(capsys):
  for arguments, words in (
    (["--help"], ("keras-expression", "config.service.checkpoint")),
    (["keras-expression", "--help"], ("fer2013_mini_XCEPTION", "oarriaga/face_classification", "MIT")),
  ):
    with pytest.raises(SystemExit) as stop:
      convert.main(arguments)
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(word in text for word in words)


@pytest.fixture(scope="module")
def public(tmp_path_factory):
  folder = tmp_path_factory.mktemp("public")
  network_file.save(folder, *convert.keras_expression(HDF5))
  return expression.load(folder)


@needs(HDF5, ONNX, FER2013)
def test_public_network_equals_its_onnx_twin_and_keeps_its_accuracy(public):
  import jax
  import onnxruntime

  with np.load(FER2013) as file:
    images, labels = file["PublicTest_x"][::3], file["PublicTest_y"][::3]  # sorted by label
    assert tuple(file["classes"]) == public.classes
  twin = onnxruntime.InferenceSession(ONNX)

  @jax.jit
  def both(params, grey):
    image = jax.numpy.repeat(grey[..., None] / 255.0, 3, -1)
    return expression.preprocess(image, 64), public.apply(params, image)

  found, expected, probabilities = [], [], []
  for start in range(0, len(images), 399):
    seen, logits = both(public.params, images[start : start + 399].astype(np.float32))
    p, l = twin.run(["probabilities", "logits"], {"input": np.asarray(seen).transpose(0, 3, 1, 2)})
    found.append(logits)
    expected.append(l)
    probabilities.append(p)
  found, expected, probabilities = map(np.concatenate, (found, expected, probabilities))
  # The same arithmetic in another order: float32 on logits up to 12.
  np.testing.assert_allclose(found, expected, atol=1e-4)
  np.testing.assert_allclose(jax.nn.softmax(found), probabilities, atol=1e-5)
  assert (found.argmax(-1) == expected.argmax(-1)).all()
  # 0.653 on all 3,589 (see docs/services.md); 0.041 is three standard errors of 1,197.
  assert abs((found.argmax(-1) == labels).mean() - 0.653) < 0.041
