"""U-GAT-IT's and AMT-GAN's networks against the layers of their PyTorch sources, assembled from jax.lax by hand.

The weights are drawn in PyTorch's names and layouts and come through the converters, so that a name, an axis or a layer
in the wrong place shows in the picture.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from qm_vae import convert
from qm_vae.convert import torch_file
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.faces import makeup
from qm_vae.io import networks
from qm_vae.models import amt_gan, ugatit
from qm_vae.models.adversarial_layers import Conv

ATOL = 2e-4  # float32 sums of up to 400 products in another order, through two dozen normalised layers
RANDOM = np.random.default_rng(0)


def _input(*shape):
  return RANDOM.uniform(-1, 1, shape).astype(np.float32)


class Torch:
  """Weights in PyTorch's layouts, drawn when a layer first asks for them, and the layers, on images [B, C, H, W]."""

  def __init__(self):
    self.tensors = {}

  def weight(self, name, *shape, centre=0.0):
    if name not in self.tensors:
      spread = 1 / np.sqrt(max(np.prod(shape[1:]), 4)) if centre == 0 else 0.3
      self.tensors[name] = (centre + spread * RANDOM.standard_normal(shape)).astype(np.float32)
    return self.tensors[name]

  def conv(self, name, x, features, size, stride=1, padding=0, reflect=False, bias=False):
    if reflect:
      x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), mode="reflect")
    kernel = self.weight(f"{name}.weight", features, x.shape[1], size, size)
    pad = [(0 if reflect else padding,) * 2] * 2
    x = np.asarray(lax.conv_general_dilated(x, kernel, (stride,) * 2, pad))
    return x + self.weight(f"{name}.bias", features)[:, None, None] if bias else x

  def conv_transpose(self, name, x, features):
    kernel = self.weight(f"{name}.weight", x.shape[1], features, 4, 4)
    kernel = kernel.transpose(1, 0, 2, 3)[..., ::-1, ::-1]
    return np.asarray(lax.conv_general_dilated(x, kernel, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2)))

  def linear(self, name, x, features):
    return x @ self.weight(f"{name}.weight", features, x.shape[1]).T

  def norm(self, x, name=None):
    x = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    if name is None:
      return x
    scale, shift = self.weight(f"{name}.weight", x.shape[1], centre=1.0), self.weight(f"{name}.bias", x.shape[1])
    return x * scale[:, None, None] + shift[:, None, None]

  def lin(self, name, x, gamma=None, beta=None):
    shape = (1, x.shape[1], 1, 1)
    rho = np.clip(self.weight(f"{name}.rho", *shape, centre=0.5), 0, 1)
    self.tensors[f"{name}.rho"] = rho
    if gamma is None:
      gamma, beta = self.weight(f"{name}.gamma", *shape, centre=1.0), self.weight(f"{name}.beta", *shape)
    one = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), ddof=1, keepdims=True) + 1e-5)
    all_ = (x - x.mean((1, 2, 3), keepdims=True)) / np.sqrt(x.var((1, 2, 3), ddof=1, keepdims=True) + 1e-5)
    return (rho * one + (1 - rho) * all_) * gamma + beta


relu = lambda x: np.maximum(x, 0)


def _ugatit(t, x, light, channels, blocks):
  """(image, CAM logits, heat) of ResnetGenerator in networks.py of znxlwm/UGATIT-pytorch."""
  conv = lambda name, x, features, size, **rest: t.conv(name, x, features, size, reflect=True, **rest)
  x = relu(t.norm(conv("DownBlock.1", x, channels, 7, padding=3)))
  x = relu(t.norm(conv("DownBlock.5", x, 2 * channels, 3, stride=2, padding=1)))
  x = relu(t.norm(conv("DownBlock.9", x, 4 * channels, 3, stride=2, padding=1)))
  width = 4 * channels
  for i in range(12, 12 + blocks):
    h = relu(t.norm(conv(f"DownBlock.{i}.conv_block.1", x, width, 3, padding=1)))
    x = x + t.norm(conv(f"DownBlock.{i}.conv_block.5", h, width, 3, padding=1))
  logits = [t.linear("gap_fc", x.mean((2, 3)), 1), t.linear("gmp_fc", x.max((2, 3)), 1)]
  x = np.concatenate([x * t.tensors[f"{n}.weight"][0][:, None, None] for n in ("gap_fc", "gmp_fc")], 1)
  x = relu(t.conv("conv1x1", x, width, 1, bias=True))
  heat = x.sum(1)
  printed = x.mean((2, 3)) if light else x.reshape(len(x), -1)
  printed = relu(t.linear("FC.2", relu(t.linear("FC.0", printed, width)), width))
  gamma, beta = (t.linear(name, printed, width)[..., None, None] for name in ("gamma", "beta"))
  for i in range(1, blocks + 1):
    h = relu(t.lin(f"UpBlock1_{i}.norm1", conv(f"UpBlock1_{i}.conv1", x, width, 3, padding=1), gamma, beta))
    x = x + t.lin(f"UpBlock1_{i}.norm2", conv(f"UpBlock1_{i}.conv2", h, width, 3, padding=1), gamma, beta)
  for i, features in ((2, 2 * channels), (7, channels)):
    x = conv(f"UpBlock2.{i}", x.repeat(2, 2).repeat(2, 3), features, 3, padding=1)
    x = relu(t.lin(f"UpBlock2.{i + 1}", x))
  return np.tanh(conv("UpBlock2.11", x, 3, 7, padding=3)), np.concatenate(logits, 1), heat


def _psgan(t, source, reference, masks, places, width):
  """Generator in backbone/net.py of CGCL-codes/AMT-GAN for one pair; regions [3, 1, h, w], places [3, 136, h, w]."""
  s = relu(t.norm(t.conv("pnet_in.0", reference, width, 7, padding=3), "pnet_in.1"))
  c = relu(t.norm(t.conv("tnet_in_conv", source, width, 7, padding=3)))
  for i in (1, 2):
    s = relu(t.norm(t.conv(f"pnet_down_{i}.0", s, 2**i * width, 4, 2, 1), f"pnet_down_{i}.1"))
    c = relu(t.norm(t.conv(f"tnet_down_conv_{i}", c, 2**i * width, 4, 2, 1)))
  for i in range(1, 7):
    if i == 4:
      matrices = [t.conv(f"simple_spade.get_{name}", s, 1, 1) for name in ("gamma", "beta")]
      flat = lambda x: x.reshape(3, x.shape[1], -1)
      theta = flat(np.concatenate([0.01 * c * masks[0], places[0]], 1)).transpose(0, 2, 1)
      phi = flat(np.concatenate([0.01 * s * masks[1], places[1]], 1))
      raw = theta @ phi
      soft = np.exp(200 * (raw - raw.max(-1, keepdims=True)))
      weight = np.where(raw != 0, soft / soft.sum(-1, keepdims=True), 0)  # the sparse matrix of nonzero entries
      gamma, beta = (
        (weight @ flat(m * masks[1]).transpose(0, 2, 1)).sum(0).reshape(1, 1, *m.shape[2:]) for m in matrices
      )
      c = c * (1 + gamma) + beta
    if i <= 3:
      place = f"pnet_bottleneck_{i}.main"
      h = relu(t.norm(t.conv(f"{place}.0", s, 4 * width, 3, padding=1), f"{place}.1"))
      s = s + t.norm(t.conv(f"{place}.3", h, 4 * width, 3, padding=1), f"{place}.4")
    place = f"tnet_bottleneck_{i}.main"
    h = relu(t.norm(t.conv(f"{place}.0", c, 4 * width, 3, padding=1)))
    c = c + t.norm(t.conv(f"{place}.3", h, 4 * width, 3, padding=1))
  for i in (1, 2):
    c = relu(t.norm(t.conv_transpose(f"tnet_up_conv_{i}", c, 4 * width // 2**i)))
  for name in ("g", "b"):
    t.weight(f"atten_bottleneck_{name}.g.weight", 1, 1, 1, 1)
    t.weight(f"atten_bottleneck_{name}.g.bias", 1)
  return np.tanh(t.conv("tnet_out.0", c, 3, 7, padding=3))


def _convert(monkeypatch, path, kind, tensors):
  monkeypatch.setattr(torch_file, "load", lambda path, only=None: dict(tensors))
  path.write_bytes(b"read by a stand-in")
  return convert.READERS[kind](path)


channels_last = lambda x: np.moveaxis(x, 1, -1)


@pytest.mark.parametrize("light", [True, False], ids=["light", "full"])
def test_rival_networks_ugatit_equals_pytorch_layers(monkeypatch, tmp_path, light):
  """Ugatit equals its pytorch layers."""
  t, x = Torch(), _input(2, 3, 12, 12)
  image, logits, heat = _ugatit(t, x, light, 4, 2)
  meta, variables = _convert(monkeypatch, tmp_path / "net.pt", "torch-ugatit", {"genA2B": t.tensors, "genB2A": {}})
  assert meta["options"] == {"light": light, "channels": 4, "blocks": 2} and "net.pt, SHA-256" in meta["source"]
  assert meta["input_size"] == (256 if light else 12)
  found = jax.jit(ugatit.Generator(**meta["options"]).apply)(variables, channels_last(x))
  np.testing.assert_allclose(found.image, channels_last(image), atol=ATOL)
  np.testing.assert_allclose(found.cam, logits, atol=ATOL)
  np.testing.assert_allclose(found.heat, heat, atol=ATOL * 4)  # a sum over 16 channels
  networks.save(tmp_path / "out", meta | {"input_size": 12}, variables)
  assert DEIDENTIFIERS["ugatit"](checkpoint=tmp_path / "out").params["params"].keys() == variables["params"].keys()


PARTS = jax.jit(lambda eyes: makeup.parts(eyes, (32, 32), 4))


def _parts(eyes):
  found = PARTS(np.float32(eyes))
  batched = jax.tree.map(lambda x: np.asarray(x)[None], found)
  return batched, np.asarray(found.regions)[:, None], np.moveaxis(np.asarray(found.places), -1, 1)


def test_rival_networks_amt_gan_equals_pytorch_layers(monkeypatch):
  """Amt gan equals its pytorch layers."""
  t, source, reference = Torch(), _input(1, 3, 32, 32), _input(1, 3, 32, 32)
  (ours, mask, place), (other, other_mask, other_place) = _parts([10.0, 12, 20, 13]), _parts([11.0, 11, 22, 10])
  expected = _psgan(t, source, reference, (mask, other_mask), (place, other_place), 4)
  module = amt_gan.Generator(4)
  pictures = channels_last(source), channels_last(reference)
  variables = convert.torch_generators._mapped("G.pth", "AMT-GAN", t.tensors, amt_gan.shapes(module, 32))
  found = jax.jit(module.apply)(variables, *pictures, ours, other)
  np.testing.assert_allclose(found, channels_last(expected), atol=ATOL)


def _spectral(t, name, x, features, stride, padding, reflect, bias=True):
  """The convolution divided by the largest singular value of its kernel as a matrix, from NumPy."""
  kernel = t.weight(f"{name}.weight", features, x.shape[1], 4, 4)
  kernel = kernel / np.linalg.svd(kernel.reshape(features, -1), compute_uv=False)[0]
  normed = Torch()
  normed.tensors = {f"{name}.weight": kernel, f"{name}.bias": t.weight(f"{name}.bias", features)}
  return normed.conv(name, x, features, 4, stride, padding, reflect, bias)


@pytest.mark.slow
def test_rival_networks_discriminators_regularizer_equal_pytorch_layers():
  """Discriminators and regularizer equal their pytorch layers."""
  leaky = lambda x, slope: np.where(x >= 0, x, slope * x)

  def given(module, x, t):
    """The variables, kernels from `t`, after power iterations enough to reach the singular value."""
    variables = jax.jit(module.init)(jax.random.key(0), x)
    leaf = {"kernel": "weight", "bias": "bias"}

    def put(path, old):
      value = t.tensors[f"{path[0].key}.{leaf[path[1].key]}"]
      return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T.reshape(old.shape)

    variables = {"params": jax.tree_util.tree_map_with_path(put, variables["params"])} | {
      "spectral": variables.get("spectral", {})
    }
    move = jax.jit(lambda v: module.apply(v, x, update=True, mutable=["spectral"])[1])
    for _ in range(400 if variables["spectral"] else 0):
      variables |= move(variables)
    return variables

  t, x = Torch(), _input(2, 3, 32, 32)
  h = x
  for i, features in enumerate((4, 8, 16)):
    h = leaky(_spectral(t, f"main.{2 * i}", h, features, 2, 1, False), 0.01)
  h = leaky(_spectral(t, "main.6", h, 32, 1, 1, False), 0.01)
  expected = _spectral(t, "conv1", h, 1, 1, 1, False, bias=False)
  module, x_last = amt_gan.Discriminator(channels=4), channels_last(x)
  np.testing.assert_allclose(module.apply(given(module, x_last, t), x_last), expected[:, 0], atol=ATOL)

  t = Torch()
  h = leaky(_spectral(t, "model.1", x, 4, 2, 1, True), 0.2)
  h = leaky(_spectral(t, "model.4", h, 8, 1, 1, True), 0.2)
  logits, weighted = [], []
  for name, pooled in (("gap_fc", h.mean((2, 3))), ("gmp_fc", h.max((2, 3)))):
    weight = t.weight(f"{name}.weight", 1, 8)
    logits.append(pooled @ weight.T / np.linalg.norm(weight))
    weighted.append(h * weight[0][:, None, None])
  h = leaky(t.conv("conv1x1", np.concatenate(weighted, 1), 8, 1, bias=True), 0.2)
  expected = _spectral(t, "conv", h, 1, 1, 1, True, bias=False)
  module = ugatit.Discriminator(layers=3, channels=4)
  found = module.apply(given(module, x_last, t), x_last)
  np.testing.assert_allclose(found.real, expected[:, 0], atol=ATOL)
  np.testing.assert_allclose(found.cam, np.concatenate(logits, 1), atol=ATOL)

  t, x = Torch(), _input(1, 3, 8, 8)
  trunk = t.conv("conv_first", x, 8, 3, padding=1, bias=True)
  start = trunk
  for j in (1, 2, 3):
    seen = [trunk]
    for k in range(1, 5):
      h = t.conv(f"RRDB_trunk.0.RDB{j}.conv{k}", np.concatenate(seen, 1), 4, 3, padding=1, bias=True)
      seen.append(leaky(h, 0.2))
    trunk = trunk + 0.2 * t.conv(f"RRDB_trunk.0.RDB{j}.conv5", np.concatenate(seen, 1), 8, 3, padding=1, bias=True)
  expected = t.conv("trunk_conv", start + 0.2 * trunk, 3, 3, padding=1, bias=True)
  module = amt_gan.Regularizer(blocks=1, channels=8)
  found = module.apply({"params": given(module, channels_last(x), t)["params"]}, channels_last(x))
  np.testing.assert_allclose(found, channels_last(expected), atol=ATOL)


def test_rival_networks_spectral_norm_largest_singular_value():
  """A spectral norm is the largest singular value after iterations."""
  module, x = Conv(5, 2, spectral=True, bias=False), _input(1, 2, 2, 4)
  kernel = _input(16, 5)
  variables = {"params": {"kernel": kernel.reshape(2, 2, 4, 5)}, "spectral": {"u": np.float32([1, 0, 0, 0, 0])}}
  update = jax.jit(lambda variables: module.apply(variables, x, update=True, mutable=["spectral"]))
  for _ in range(200):
    found, changed = update(variables)
    variables |= changed
  found = found[0, 0, 0]
  expected = (x.reshape(-1) @ kernel) / np.linalg.svd(kernel, compute_uv=False)[0]
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rival_networks_parameters_many_public_implementations():
  """Parameters are as many as in the public implementations."""

  def count(module, *arguments, shapes=None):
    shapes = shapes or jax.eval_shape(module.init, jax.random.key(0), *arguments)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))

  x = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
  assert count(ugatit.Generator(), x) == 10_589_888
  assert count(ugatit.Generator(light=False), x) == 278_959_808
  assert count(ugatit.Discriminator(7), x) == 53_130_176
  assert count(ugatit.Discriminator(5), x) == 3_290_560
  assert count(None, shapes=amt_gan.shapes(amt_gan.Generator(), 256)) == 12_615_620
  assert count(amt_gan.Regularizer(), x) == 2_881_219
  assert count(amt_gan.Discriminator(), x) == 2_764_736


@pytest.mark.parametrize(
  "kind, tensors, message",
  [
    ("torch-ugatit", {"net": 1}, "it holds net; expected genA2B"),
    ("torch-ugatit", {"genA2B": {"a": 1}}, "genA2B holds a; expected conv1x1.weight"),
    ("torch-amtgan", {"main.0.weight": np.zeros(3, np.float32)}, "is no AMT-GAN: expected .* found NoneType"),
  ],
)
def test_rival_networks_other_checkpoints_refused_name(monkeypatch, tmp_path, kind, tensors, message):
  """Other checkpoints are refused by name."""
  with pytest.raises(ValueError, match=rf"net\.pt.*{message}"):
    _convert(monkeypatch, tmp_path / "net.pt", kind, tensors)
