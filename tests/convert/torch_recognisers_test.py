"""The converted FaceNet, IR-SE50 and IR-152 against a NumPy evaluation that shares no code with them.

Weights are drawn in PyTorch's names and layouts, as the public sources build the networks, and come through the
converters, so that a name, an axis or a layer in the wrong place shows in the embedding.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import convert, embedders
from qm_vae.convert import torch_file, torch_recognisers
from qm_vae.embedders import network
from qm_vae.io import networks

RTOL = 1e-4  # of the largest output: float32 sums of up to 16,000 products in another order, against float64


class Torch:
  """Weights drawn when a layer first asks for them, and the layers, on images [C, H, W] in float64."""

  def __init__(self, epsilon):
    self.random, self.tensors, self.epsilon = np.random.default_rng(0), {}, epsilon

  def weight(self, name, *shape, centre=0.0, spread=0.3):
    if name not in self.tensors:
      spread = spread if len(shape) == 1 else 1 / np.sqrt(np.prod(shape[1:]))
      self.tensors[name] = (centre + spread * self.random.standard_normal(shape)).astype(np.float32)
    return self.tensors[name].astype(np.float64)

  def conv(self, name, x, features, size=(1, 1), stride=1, pad=(0, 0), bias=False):
    kernel = self.weight(f"{name}.weight", features, x.shape[0], *size)
    x = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2))
    patches = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))[:, ::stride, ::stride]
    made = np.tensordot(kernel, patches, ([1, 2, 3], [0, 3, 4]))
    return made + self.weight(f"{name}.bias", features)[:, None, None] if bias else made

  def norm(self, name, x):
    scale, bias = self.weight(f"{name}.weight", len(x), centre=1.0), self.weight(f"{name}.bias", len(x))
    mean = self.weight(f"{name}.running_mean", len(x))
    var = self.weight(f"{name}.running_var", len(x), centre=1.0, spread=0.1)
    self.tensors[f"{name}.num_batches_tracked"] = np.array(3)
    along = (-1,) + (1,) * (x.ndim - 1)
    mean, var, scale, bias = (array.reshape(along) for array in (mean, var, scale, bias))
    return (x - mean) / np.sqrt(var + self.epsilon) * scale + bias

  def linear(self, name, x, features, bias):
    made = self.weight(f"{name}.weight", features, len(x)) @ x
    return made + self.weight(f"{name}.bias", features) if bias else made


relu = lambda x: np.maximum(x, 0)


def max_pool(x):
  """3 x 3 of stride 2, without padding."""
  return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def facenet(t, x, repeats):
  """InceptionResnetV1.forward in models/inception_resnet_v1.py of facenet-pytorch, without the last normalisation."""

  def unit(name, x, features, size=(1, 1), stride=1, pad=(0, 0)):
    return relu(t.norm(f"{name}.bn", t.conv(f"{name}.conv", x, features, size, stride, pad)))

  def block(name, x, branches, scale, last=False):
    parts = []
    for b, layers in enumerate(branches):
      h = x
      for i, (features, size) in enumerate(layers):
        place = f"{name}.branch{b}" + (f".{i}" if len(layers) > 1 else "")
        h = unit(place, h, features, size, pad=(size[0] // 2, size[1] // 2))
      parts.append(h)
    x = scale * t.conv(f"{name}.conv2d", np.concatenate(parts), len(x), bias=True) + x
    return x if last else relu(x)

  one, three = (1, 1), (3, 3)
  x = unit("conv2d_1a", x, 32, three, 2)
  x = unit("conv2d_2a", x, 32, three)
  x = max_pool(unit("conv2d_2b", x, 64, three, pad=(1, 1)))
  x = unit("conv2d_3b", x, 80)
  x = unit("conv2d_4a", x, 192, three)
  x = unit("conv2d_4b", x, 256, three, 2)
  for i in range(repeats[0]):
    branches = [[(32, one)], [(32, one), (32, three)], [(32, one), (32, three), (32, three)]]
    x = block(f"repeat_1.{i}", x, branches, 0.17)
  h = unit("mixed_6a.branch1.1", unit("mixed_6a.branch1.0", x, 192), 192, three, pad=(1, 1))
  h = unit("mixed_6a.branch1.2", h, 256, three, 2)
  x = np.concatenate([unit("mixed_6a.branch0", x, 384, three, 2), h, max_pool(x)])
  for i in range(repeats[1]):
    x = block(f"repeat_2.{i}", x, [[(128, one)], [(128, one), (128, (1, 7)), (128, (7, 1))]], 0.10)
  first = unit("mixed_7a.branch0.1", unit("mixed_7a.branch0.0", x, 256), 384, three, 2)
  second = unit("mixed_7a.branch1.1", unit("mixed_7a.branch1.0", x, 256), 256, three, 2)
  third = unit("mixed_7a.branch2.1", unit("mixed_7a.branch2.0", x, 256), 256, three, pad=(1, 1))
  third = unit("mixed_7a.branch2.2", third, 256, three, 2)
  x = np.concatenate([first, second, third, max_pool(x)])
  branches = [[(192, one)], [(192, one), (192, (1, 3)), (192, (3, 1))]]
  for i in range(repeats[2]):
    x = block(f"repeat_3.{i}", x, branches, 0.20)
  x = block("block8", x, branches, 1.0, last=True)
  x = t.norm("last_bn", t.linear("last_linear", x.mean((1, 2)), 512, bias=False))
  t.weight("logits.weight", 7, 512)  # of the classifier, which has no part in an embedding
  t.weight("logits.bias", 7)
  return x


def ir(t, x, units, widths, squeeze):
  """Backbone.forward of TreB1eN/InsightFace_Pytorch (with squeeze) and ZhaoJ9014/face.evoLVe, without l2_norm."""

  def prelu(name, x):
    return np.where(x >= 0, x, t.weight(f"{name}.weight", len(x))[:, None, None] * x)

  x = prelu("input_layer.2", t.norm("input_layer.1", t.conv("input_layer.0", x, widths[0], (3, 3), pad=(1, 1))))
  strides = [(width, 2 if i == 0 else 1) for width, count in zip(widths, units, strict=True) for i in range(count)]
  for number, (width, stride) in enumerate(strides):
    place = f"body.{number}.res_layer"
    h = t.conv(f"{place}.1", t.norm(f"{place}.0", x), width, (3, 3), pad=(1, 1))
    h = t.norm(f"{place}.4", t.conv(f"{place}.3", prelu(f"{place}.2", h), width, (3, 3), stride, (1, 1)))
    if squeeze:
      gate = t.conv(f"{place}.5.fc2", relu(t.conv(f"{place}.5.fc1", h.mean((1, 2), keepdims=True), width // 16)), width)
      h = h / (1 + np.exp(-gate))
    if len(x) == width:
      x = x[:, ::stride, ::stride]  # MaxPool2d(1, stride)
    else:
      place = f"body.{number}.shortcut_layer"
      x = t.norm(f"{place}.1", t.conv(f"{place}.0", x, width, stride=stride))
    x = x + h
  x = t.norm("output_layer.0", x).reshape(-1)
  return t.norm("output_layer.4", t.linear("output_layer.3", x, 512, bias=True))


def _input(side):
  return np.random.default_rng(1).uniform(-1, 1, (3, side, side)).astype(np.float32)


def assert_parity(kind, tensors, meta, x, expected):
  left = {name: array for name, array in tensors.items() if "num_batches" not in name and "logits" not in name}
  variables = torch_recognisers.mapped("net.pth", kind, left, meta)
  found = jax.jit(network.network(meta).apply)(variables, x.transpose(1, 2, 0)[None])[0]
  np.testing.assert_allclose(found, expected, atol=RTOL * np.abs(expected).max())


def _meta(architecture, side, **options):
  return network.describe(architecture, (side, side), (0.3 * side, 0.4 * side, 0.7 * side, 0.4 * side), options=options)


def test_facenet_parity_with_numpy():
  """One block of each kind in full width, and all that stands between them, answer as NumPy does."""
  t, x = Torch(1e-3), _input(91)
  expected = facenet(t, x.astype(np.float64), (1, 1, 1))
  assert_parity("FaceNet", t.tensors, _meta("inception_resnet_v1", 91, repeats=[1, 1, 1]), x, expected)


@pytest.mark.parametrize("squeeze", [True, False])
def test_ir_parity_with_numpy(squeeze):
  """A narrow IR-SE and a narrow IR, of each stage one unit or two, answer as NumPy does."""
  units, widths = [1, 2, 1, 1], [16, 16, 32, 48]
  t, x = Torch(1e-5), _input(32)
  expected = ir(t, x.astype(np.float64), units, widths, squeeze)
  meta = _meta("ir_resnet", 32, units=units, widths=widths, squeeze=squeeze)
  assert_parity("IR", t.tensors, meta, x, expected)


class Shapes(Torch):
  """Collects names and shapes and computes nothing: the layers give zeros of the right size."""

  def weight(self, name, *shape, **_):
    self.tensors[name] = np.broadcast_to(np.float32(0.5), shape)
    return np.broadcast_to(0.5, shape)

  def conv(self, name, x, features, size=(1, 1), stride=1, pad=(0, 0), bias=False):
    self.weight(f"{name}.weight", features, x.shape[0], *size)
    if bias:
      self.weight(f"{name}.bias", features)
    sides = [(side + 2 * pad[i] - size[i]) // stride + 1 for i, side in enumerate(x.shape[1:])]
    return np.zeros((features, *sides))

  def norm(self, name, x):
    for leaf in ("weight", "bias", "running_mean", "running_var"):
      self.weight(f"{name}.{leaf}", len(x))
    return x

  def linear(self, name, x, features, bias):
    self.weight(f"{name}.weight", features, len(x))
    if bias:
      self.weight(f"{name}.bias", features)
    return np.zeros(features)


def _full(kind):
  """{PyTorch's name: array} of a whole public network."""
  t = Shapes(0)
  if kind == "torch-facenet":
    facenet(t, np.zeros((3, 160, 160)), (5, 10, 5))
  else:
    units = (3, 4, 14, 3) if kind == "torch-irse50" else (3, 8, 36, 3)
    ir(t, np.zeros((3, 112, 112)), units, (64, 128, 256, 512), kind == "torch-irse50")
  return t.tensors


@pytest.mark.parametrize(
  ("kind", "parameters", "size"),
  [
    ("torch-facenet", 23_482_624, 160),  # as facenet-pytorch's network without a classifier
    ("torch-irse50", 43_797_696, 112),  # as the public file
    ("torch-ir152", 70_737_600, 112),
  ],
)
def test_recognisers_every_tensor_has_one_place(monkeypatch, tmp_path, kind, parameters, size):
  """The whole network's tensors are used once each, and make as many parameters as the public network has."""
  tensors = _full(kind)
  monkeypatch.setattr(torch_file, "load", lambda path, only=None: tensors | {"input.num_batches_tracked": np.array(1)})
  (tmp_path / "net.pth").write_bytes(b"read by a stand-in")
  meta, variables = convert.READERS[kind](tmp_path / "net.pth")
  assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == parameters
  assert meta["kind"] == "embedder" and meta["input_size"] == [size, size] and "net.pth, SHA-256" in meta["source"]
  with pytest.raises(ValueError, match="is no file; expected a PyTorch checkpoint"):
    convert.READERS[kind](tmp_path / "absent.pth")


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda t: t.pop("body.0.res_layer.1.weight"), r"expected body\.0\.res_layer\.1\.weight as .* found NoneType"),
    (lambda t: t.update(odd=np.zeros(3, np.float32)), "1 tensors are left over, first odd"),
    (lambda t: t.update({"input_layer.0.weight": np.zeros(3, np.float32)}), r"found float32 \(3,\)"),
    (lambda t: t.update({"input_layer.0.weight": np.zeros((16, 3, 3, 3))}), r"found float64 \(16, 3, 3, 3\)"),
  ],
)
def test_recognisers_other_networks_refused(change, message):
  """A missing, strange or left-over tensor is refused by name."""
  t, units, widths = Shapes(0), (1, 1, 1, 1), (16, 16, 16, 16)
  ir(t, np.zeros((3, 32, 32)), units, widths, True)
  change(t.tensors)
  with pytest.raises(ValueError, match=rf"net\.pth is no IR: .*{message}"):
    torch_recognisers.mapped("net.pth", "IR", t.tensors, _meta("ir_resnet", 32, units=units, widths=widths))


def test_irse50_last_normalisation_without_scale(monkeypatch, tmp_path):
  """A build whose last normalisation neither scales nor shifts gets a scale of 1 and a shift of 0."""
  tensors = {f"module.{name}": array for name, array in _full("torch-irse50").items() if "output_layer.4.b" not in name}
  del tensors["module.output_layer.4.weight"]
  monkeypatch.setattr(torch_file, "load", lambda path, only=None: tensors)
  (tmp_path / "net.pth").write_bytes(b"read by a stand-in")
  _, variables = convert.READERS["torch-irse50"](tmp_path / "net.pth")
  last = variables["params"]["output_layer.4"]
  assert (last["scale"] == 1).all() and (last["bias"] == 0).all()


def test_recogniser_opens_as_an_embedder(tmp_path):
  """A folder with such a network opens where attackers and AMT-GAN open theirs, in the graph, and has a gradient."""
  meta = _meta("ir_resnet", 32, units=[1, 1, 1, 1], widths=[16, 16, 16, 16], squeeze=True)
  t, x = Torch(1e-5), _input(32)
  ir(t, x.astype(np.float64), (1, 1, 1, 1), (16, 16, 16, 16), True)
  left = {name: array for name, array in t.tensors.items() if "num_batches" not in name}
  networks.save(tmp_path / "net", meta, torch_recognisers.mapped("net.pth", "IR", left, meta))
  opened = embedders.open_embedder(tmp_path / "net")
  image = np.random.default_rng(2).integers(0, 256, (2, 40, 40, 3)).astype(np.uint8)
  eyes = np.tile(np.float32([12, 16, 28, 16]), (2, 1))
  found = opened.embed(image, eyes)
  np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
  apply = opened.embedder.apply
  loss = lambda x: jnp.sum(apply(opened.embedder.params, x, eyes)[0] * found[1])
  assert np.abs(jax.jit(jax.grad(loss))(image / np.float32(255))).max() > 0
