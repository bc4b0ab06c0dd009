"""The converted TensorFlow U-GAT-IT against a NumPy evaluation of its graph that shares no code with it.

The checkpoint is written here in TensorFlow's format, with the names that the graph of taki0112/UGATIT gives its
variables, and comes through the converter, so that a name, an axis or a layer in the wrong place shows in the picture.
"""

import jax
import numpy as np
import pytest

from qm_vae import convert
from qm_vae.convert.tf_ugatit import tf_ugatit
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.io import networks
from qm_vae.models import ugatit
from tests.support import tf_checkpoint

ATOL = 2e-4  # float32 sums of up to 400 products in another order, through two dozen normalised layers
CHANNELS, BLOCKS = 2, 4  # the graph needs as many blocks as its features are multiples of CHANNELS


class Graph:
  """Variables by their names, drawn when a layer first asks for them, and the layers, on float64 images [H, W, C]."""

  def __init__(self):
    self.random = np.random.default_rng(0)
    self.tensors, self.scope = {}, "generator_B/"

  def variable(self, name, *shape, centre=0.0, spread=None):
    name = self.scope + name
    if name not in self.tensors:
      spread = spread or (0.3 if len(shape) == 1 else 1 / np.sqrt(np.prod(shape[:-1])))
      self.tensors[name] = (centre + spread * self.random.standard_normal(shape)).astype(np.float32)
    return self.tensors[name].astype(np.float64)

  def conv(self, name, x, features, size, stride=1, pad=0):
    kernel = self.variable(f"{name}/conv2d/kernel", size, size, x.shape[-1], features)
    bias = self.variable(f"{name}/conv2d/bias", features)
    below = pad if (size - stride) % 2 == 0 else size - stride - pad
    x = np.pad(x, ((pad, below), (pad, below), (0, 0)), mode="reflect") if pad else x
    rows, columns = ((side - size) // stride + 1 for side in x.shape[:2])
    patch = lambda i, j: x[i * stride : i * stride + size, j * stride : j * stride + size]
    return np.array([[np.tensordot(patch(i, j), kernel, 3) + bias for j in range(columns)] for i in range(rows)])

  def dense(self, name, x, features):
    kernel = self.variable(f"{name}/dense/kernel", x.size, features)
    return x.reshape(-1) @ kernel + self.variable(f"{name}/dense/bias", features)

  def instance_norm(self, name, x):
    gamma = self.variable(f"{name}/gamma", x.shape[-1], centre=1.0)
    beta = self.variable(f"{name}/beta", x.shape[-1])
    return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5) * gamma + beta

  def layer_instance(self, name, x, gamma=None, beta=None, smoothing=0.0):
    # Beyond 0 and 1 too, so that clipping after the subtraction shows.
    rho = np.clip(self.variable(f"{name}/rho", x.shape[-1], centre=0.5), 0, 1)
    self.tensors[f"{self.scope}{name}/rho"] = rho.astype(np.float32)
    rho = np.clip(rho - smoothing, 0, 1)
    if gamma is None:
      gamma = self.variable(f"{name}/gamma", x.shape[-1], centre=1.0)
      beta = self.variable(f"{name}/beta", x.shape[-1])
    instance = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5)
    layer = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    return (rho * instance + (1 - rho) * layer) * gamma + beta

  def generator(self, x, light, smoothing, early):
    """(image, CAM logits, heat) as UGATIT.py and ops.py compute them; `early`: before the dense layer was removed."""
    relu = lambda x: np.maximum(x, 0)
    width = CHANNELS
    x = relu(self.instance_norm("ins_norm", self.conv("conv", x, width, 7, pad=3)))
    for i in range(2):
      width *= 2
      x = relu(self.instance_norm(f"ins_norm_{i}", self.conv(f"conv_{i}", x, width, 3, 2, 1)))
    for i in range(BLOCKS):
      h = self.conv(f"resblock_{i}/res1/conv_0", x, width, 3, pad=1)
      h = relu(self.instance_norm(f"resblock_{i}/res1/instance_norm", h))
      h = self.conv(f"resblock_{i}/res2/conv_0", h, width, 3, pad=1)
      x = x + self.instance_norm(f"resblock_{i}/res2/instance_norm", h)
    kernel, bias = self.variable("CAM_logit/kernel", width, 1), self.variable("CAM_logit/bias", 1)
    pooled = (x.mean((0, 1)), x.max((0, 1)))
    logits = [self.dense("CAM_logit", one, 1) if early else one @ kernel + bias for one in pooled]
    x = np.concatenate([x * (kernel + bias)[:, 0]] * 2, -1)
    x = relu(self.conv("conv_1x1", x, width, 1))
    heat = x.sum(-1)
    style = x.mean((0, 1)) if light else x
    for i in range(2):
      style = relu(self.dense(f"MLP/linear_{i}", style, width))
    gamma, beta = self.dense("MLP/gamma", style, width), self.dense("MLP/beta", style, width)
    for i in range(BLOCKS):
      h = x
      for part in ("res1", "res2"):
        name = f"adaptive_resblock{i}/{part}"
        h = self.conv(f"{name}/conv_0", h, width, 3, pad=1)
        h = self.layer_instance(f"{name}/instance_layer_norm", h, gamma, beta, smoothing)
        h = relu(h) if part == "res1" else h
      x = x + h
    for i in range(2):
      width //= 2
      x = self.conv(f"up_conv_{i}", x.repeat(2, 0).repeat(2, 1), width, 3, pad=1)
      x = relu(self.layer_instance(f"layer_ins_norm_{i}", x))
    return np.tanh(self.conv("G_logit", x, 3, 7, pad=3)), np.concatenate(logits), heat


def _written(prefix, *, light=True, smoothing=0.1, early=False, side=16):
  """(picture, what the graph makes of it) of a checkpoint written at `prefix` with all that a real one holds beside."""
  graph = Graph()
  picture = np.random.default_rng(1).uniform(-1, 1, (side, side, 3)).astype(np.float32)
  made = graph.generator(picture.astype(np.float64), light, smoothing, early)
  beside = {f"{name}/{moment}": array for name, array in graph.tensors.items() for moment in ("Adam", "Adam_1")}
  beside |= {name.replace("generator_B", "generator_A"): array for name, array in graph.tensors.items()}
  beside |= {"discriminator_A/local/conv_0/kernel": np.ones((4, 4, 3, 2), np.float32), "beta1_power": np.float32(0.5)}
  beside["beta1_power"] = np.asarray(beside["beta1_power"])
  prefix.parent.mkdir(exist_ok=True)
  tf_checkpoint.write(prefix, beside | graph.tensors)
  return picture, made


@pytest.mark.parametrize("light", [True, False], ids=["light", "full"])
@pytest.mark.parametrize("early", [False, True], ids=["late", "early"])
def test_tf_ugatit_parity_with_numpy(tmp_path, light, early):
  """A checkpoint of random tensors draws the picture that NumPy draws, light and full, before and after August 2019."""
  picture, expected = _written(tmp_path / "UGATIT.model-7", light=light, early=early)
  meta, variables = tf_ugatit(tmp_path / "UGATIT.model-7")
  assert meta["options"] == {"light": light, "channels": CHANNELS, "blocks": BLOCKS, "original": True}
  assert meta["input_size"] == (256 if light else 16) and "UGATIT.model-7, SHA-256" in meta["source"]
  found = jax.jit(ugatit.Generator(**meta["options"]).apply)(variables, picture[None])
  for name, ours, theirs in zip(found._fields, found, expected, strict=True):
    np.testing.assert_allclose(ours[0], theirs, atol=ATOL * max(1, np.abs(theirs).max()), err_msg=name)
  assert found.image.std() > 0.1  # a picture with something in it


@pytest.mark.parametrize(
  ("folder", "smoothing"),
  [
    ("UGATIT_light_faces_lsgan_4resblock_6dis_1_1_10_10_1000_sn_smoothing", 0.1),
    ("UGATIT_light_faces_lsgan_4resblock_6dis_1_1_10_10_1000_sn", 0.0),
  ],
)
def test_tf_ugatit_smoothing_by_its_folder(tmp_path, folder, smoothing):
  """The folder's name, as the original writes it, says whether rho is smoothed."""
  picture, expected = _written(tmp_path / folder / "UGATIT_light.model-7", smoothing=smoothing)
  meta, variables = tf_ugatit(tmp_path / folder)
  found = ugatit.Generator(**meta["options"]).apply(variables, picture[None])
  np.testing.assert_allclose(found.image[0], expected[0], atol=ATOL)


def test_tf_ugatit_from_command_line_to_view(tmp_path, capsys):
  """The folder that the program writes opens as a de-identifier."""
  _written(tmp_path / "UGATIT.model-7", light=False)
  convert.main(["tf-ugatit", str(tmp_path / "UGATIT.model-7"), str(tmp_path / "out")])
  assert "ugatit, " in capsys.readouterr().out
  meta, _ = networks.load(tmp_path / "out")
  assert meta["kind"] == "ugatit"
  view = DEIDENTIFIERS["ugatit"](checkpoint=str(tmp_path / "out"))
  assert view(np.random.default_rng(2).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)).std() > 1


def test_tf_ugatit_reads_only_what_is_used(tmp_path, monkeypatch):
  """Of the checkpoint no byte of another network or of an optimiser is read."""
  from qm_vae.convert import tf_bundle

  _written(tmp_path / "UGATIT.model-7")
  asked, read = [], tf_bundle.Bundle.read
  monkeypatch.setattr(tf_bundle.Bundle, "read", lambda self, name: asked.append(name) or read(self, name))
  tf_ugatit(tmp_path / "UGATIT.model-7")
  assert asked and all(name.startswith("generator_B/") and "Adam" not in name for name in asked)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda t: t.pop("generator_B/conv/conv2d/kernel"), r"expected generator_B/conv/conv2d/kernel, found nothing"),
    (lambda t: t.pop("generator_B/up_conv_1/conv2d/bias"), r"up_conv_1/conv2d/bias with shape \[2\], found nothing"),
    (
      lambda t: t.update({"generator_B/odd": np.zeros(3, np.float32)}),
      "1 tensors are left over, first generator_B/odd",
    ),
    (
      lambda t: t.update({"generator_B/MLP/linear_0/dense/kernel": np.zeros((40, 8), np.float32)}),
      "takes 40 numbers, no square of 8 channels",
    ),
    (
      lambda t: t.update({"generator_B/MLP/gamma/dense/kernel": np.zeros((8, 4), np.float32)}),
      r"MLP/gamma/dense/kernel with shape \[8, 8\], found \[8, 4\]",
    ),
  ],
)
def test_tf_ugatit_other_checkpoints_refused(tmp_path, change, message):
  """Other checkpoints are refused by name."""
  graph = Graph()
  graph.generator(np.zeros((16, 16, 3)), True, 0.1, False)
  change(graph.tensors)
  tf_checkpoint.write(tmp_path / "net", graph.tensors)
  with pytest.raises(ValueError, match=message):
    tf_ugatit(tmp_path / "net")
