"""ONNX embedders: files written here whose embedding is their input, flat, so that everything before it shows."""

import jax
import numpy as np
import pytest

from qm_vae import embedders
from qm_vae.faces.alignment import TEMPLATE_EYES, align

EYES = np.array([[9, 8, 17, 9], [8, 9, 16, 8], [8, 8, 15, 8]], np.float32)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), np.uint8)
TARGET = (3.0, 4.0, 7.0, 4.0)
TOLD = {"input_range": "(x-127.5)/128 of 0..255", "input_layout": "NCHW", "colour": "RGB", "eyes": "3, 4, 7, 4.0"}


def _varint(value):
  low, value = value & 127, value >> 7
  return bytes([low | 128]) + _varint(value) if value else bytes([low])


def _field(number, value):
  """One field of a protocol buffer, of which an ONNX file is made."""
  if isinstance(value, int):
    return _varint(number << 3) + _varint(value)
  value = value.encode() if isinstance(value, str) else value
  return _varint(number << 3 | 2) + _varint(len(value)) + value


def _tensor(name, shape):
  sides = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in shape)
  return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sides)))  # element type 1: float


def _write(path, shape, metadata):
  """A model of one node, Flatten."""
  inner = [side for side in shape[1:] if isinstance(side, int)]
  flat = [shape[0], int(np.prod(inner)) if len(inner) == 3 else "D"]
  node = _field(1, "input") + _field(2, "flat") + _field(4, "Flatten")
  graph = _field(1, node) + _field(2, "g") + _field(11, _tensor("input", shape)) + _field(12, _tensor("flat", flat))
  model = _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))
  model += b"".join(_field(14, _field(1, key) + _field(2, value)) for key, value in metadata.items())
  path.write_bytes(model)
  return path


def _expected(factor, offset, *, size=(10, 12), target=TARGET, bgr=False, nhwc=False):
  x = jax.vmap(lambda image, eyes: align(image, eyes, target, size))(IMAGES.astype(np.float32), EYES)
  x = np.asarray(x)[..., ::-1] if bgr else np.asarray(x)
  x = (x if nhwc else x.transpose(0, 3, 1, 2)).reshape(3, -1) * factor + offset
  return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize(
  "shape, metadata, overrides, expected",
  [
    (["n", 3, 10, 12], TOLD, {}, dict(factor=1 / 128, offset=-127.5 / 128)),
    (["n", 3, 10, 12], TOLD, {"input_range": "0..1", "colour": "BGR"}, dict(factor=1, offset=0, bgr=True)),
    (["n", 3, 10, 12], TOLD | {"input_range": "0..255 raw"}, {"batch_size": 2}, dict(factor=1, offset=0)),
    ([2, 3, 10, 12], TOLD | {"input_range": "-1..1"}, {}, dict(factor=1, offset=-127.5)),
    ([1, 10, 12, 3], TOLD | {"input_layout": "NHWC", "input_range": "[0, 1]"}, {}, dict(factor=1, offset=0, nhwc=True)),
    (["n", 3, "h", "w"], TOLD | {"input_shape": "Nx3x10x12 (height 10)"}, {}, dict(factor=1, offset=-127.5)),
    (["n", 3, "h", "w"], TOLD, {"size": (10, 12)}, dict(factor=1, offset=-127.5)),
    # No metadata: the shape gives layout and size, the size the eyes.
    (
      ["n", 112, 96, 3],
      {},
      {"input_range": "(x - 127.5) / 128", "colour": "RGB"},
      dict(factor=1, offset=-127.5, size=(112, 96), target=TEMPLATE_EYES[112, 96], nhwc=True),
    ),
    (
      ["n", 3, 112, 112],
      {"colour": "RGB", "input_range": "0..255"},
      {},
      dict(factor=1, offset=0, size=(112, 112), target=TEMPLATE_EYES[112, 112]),
    ),
  ],
)
def test_onnx_embedder_network_gets_wants(tmp_path, shape, metadata, overrides, expected):
  """The network gets what it wants."""
  embed = embedders.EMBEDDERS["onnx"](_write(tmp_path / "net.onnx", shape, metadata), **overrides)
  found, expected = embed(IMAGES, EYES), _expected(**expected)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=1e-6)  # float32; the embedding has length 1
  assert embed(IMAGES[:0], EYES[:0]).shape == (0, expected.shape[1])


@pytest.mark.parametrize(
  "shape, metadata, message",
  [
    (["n", 3, 10, 12], {**TOLD, "input_range": "normalised"}, "input_range is 'normalised'; give input_range="),
    (["n", 3, 10, 12], {**TOLD, "input_range": "(x-1)/0"}, r"input_range is '\(x-1\)/0'"),
    (["n", 3, 10, 12], {"input_range": "0..1"}, "colour is None; give colour= one of RGB, BGR"),
    (["n", 3, 10, 12], {**TOLD, "input_layout": "CHW"}, "layout is 'CHW'; give layout= one of NCHW, NHWC"),
    (["n", 3, 10, 3], {"input_range": "0..1", "colour": "RGB"}, "layout is None"),
    (["n", 3, "h", "w"], TOLD, "no fixed height and width; give size="),
    (["n", 3, 10, 12], {k: v for k, v in TOLD.items() if k != "eyes"}, "where the eyes stand in an input of 10 x 12"),
    (["n", 3, 10, 12], {**TOLD, "eyes": "3, 4"}, "where the eyes stand"),
    (["n", 30], TOLD, "expected one batch of images"),
  ],
)
def test_onnx_embedder_nobody_tells_refused(tmp_path, shape, metadata, message):
  """What nobody tells is refused."""
  with pytest.raises(ValueError, match=rf"net\.onnx.*{message}"):
    embedders.EMBEDDERS["onnx"](_write(tmp_path / "net.onnx", shape, metadata))


def test_onnx_embedder_other_files_outputs(tmp_path):
  """Other files and outputs."""
  (tmp_path / "bad.onnx").write_bytes(b"no such format")
  with pytest.raises(ValueError, match=r"bad\.onnx cannot be opened by onnxruntime .*expected an ONNX file"):
    embedders.open_embedder(tmp_path / "bad.onnx")
  path = _write(tmp_path / "net.onnx", ["n", 3, 10, 12], TOLD)
  with pytest.raises(ValueError, match=r"output 'logits' is no batch of embeddings; give output= one of .*flat"):
    embedders.EMBEDDERS["onnx"](path, output="logits")
  name, embed, *_ = embedders.open_embedder(path)
  assert name == "net" and embed(IMAGES, EYES).shape == (3, 360)
