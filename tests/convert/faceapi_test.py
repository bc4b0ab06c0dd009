"""The converted landmark network against a NumPy evaluation that shares no code with it."""

import json
import os
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import landmarkers
from qm_vae.convert.faceapi import MANIFEST, faceapi_landmarks
from qm_vae.io import networks

SHARED = pathlib.Path(os.environ.get("QM_VAE_DATA", pathlib.Path(__file__).parents[2] / "../shared/data"))
PUBLIC = SHARED / "weights" / "landmarks"
WIDTHS = (32, 64, 128, 256)
PARITY = 1e-4  # shares of the side: float32 sums in another order, over 21 layers


def layout():
  """(name, shape) of every tensor in the order of the public file."""
  channels = 3
  for block, width in enumerate(WIDTHS):
    for i in range(4):
      name = f"dense{block}/conv{i}"
      if block == i == 0:
        yield f"{name}/filters", (3, 3, channels, width)
      else:
        yield f"{name}/depthwise_filter", (3, 3, channels, 1)
        yield f"{name}/pointwise_filter", (1, 1, channels, width)
      yield f"{name}/bias", (width,)
      channels = width
  yield "fc/weights", (256, 136)
  yield "fc/bias", (136,)


def write(folder, change=lambda entries: entries, cut=None):
  """A folder of the public layout with random quantised tensors; returns {name: float32 array}."""
  random, entries, blob, tensors = np.random.default_rng(0), [], b"", {}
  for name, shape in layout():
    values = random.integers(0, 256, shape).astype(np.uint8)
    scale, low = 0.002, -0.25
    if name.endswith("depthwise_filter") or name.endswith("filters"):
      scale, low = 0.004, -0.5
    entries.append({"name": name, "shape": list(shape), "dtype": "float32"})
    entries[-1]["quantization"] = {"dtype": "uint8", "scale": scale, "min": low}
    blob += values.tobytes()
    tensors[name] = values.astype(np.float32) * np.float32(scale) + np.float32(low)
  manifest = [{"weights": change(entries), "paths": ["face_landmark_68_model.bin"]}]
  (folder / MANIFEST).write_text(json.dumps(manifest))
  (folder / "face_landmark_68_model.bin").write_bytes(blob[:cut])
  return tensors


def public_tensors():
  """The tensors of the public file, read as its README says."""
  entries = json.loads((PUBLIC / MANIFEST).read_text())[0]["weights"]
  blob, at, found = (PUBLIC / "face_landmark_68_model.bin").read_bytes(), 0, {}
  for entry in entries:
    how, count = entry["quantization"], int(np.prod(entry["shape"]))
    values = np.frombuffer(blob, np.uint8, count, at).astype(np.float64).reshape(entry["shape"])
    found[entry["name"]] = values * how["scale"] + how["min"]
    at += count
  return found


def convolved(x, kernel, stride):
  """[H, W, C] by [3, 3, C, F] with zeros as TensorFlow's SAME adds them, in float64."""
  height, width = (-(-side // stride) for side in x.shape[:2])
  pads = [max((count - 1) * stride + 3 - side, 0) for count, side in zip((height, width), x.shape[:2], strict=True)]
  x = np.pad(x, [(pad // 2, pad - pad // 2) for pad in pads] + [(0, 0)])
  rows = [[np.tensordot(x[i * stride : i * stride + 3, j * stride : j * stride + 3], kernel, 3) for j in range(width)]
          for i in range(height)]  # fmt: skip
  return np.array(rows)


def expected(tensors, image):
  """[68, 2] of one uint8 image [112, 112, 3], in float64."""
  x = (image - np.array([122.782, 117.001, 104.298])) / 255

  def layer(name, x, stride):
    bias = tensors[f"{name}/bias"]
    if f"{name}/filters" in tensors:
      return convolved(x, tensors[f"{name}/filters"], stride) + bias
    depthwise = tensors[f"{name}/depthwise_filter"][..., 0]
    full = depthwise[..., None] * np.eye(depthwise.shape[-1])
    return convolved(x, full, stride) @ tensors[f"{name}/pointwise_filter"][0, 0] + bias

  for block in range(4):
    total = np.maximum(layer(f"dense{block}/conv0", x, 2), 0)
    for i in (1, 2, 3):
      total = total + layer(f"dense{block}/conv{i}", np.maximum(total, 0), 1)
    x = np.maximum(total, 0)
  return (x.mean((0, 1)) @ tensors["fc/weights"] + tensors["fc/bias"]).reshape(68, 2)


def found(folder, tmp_path, image):
  """What the converted network answers, as shares of the side."""
  networks.save(tmp_path / "network", *faceapi_landmarks(folder))
  meta, variables = networks.load(tmp_path / "network")
  shown = landmarkers.preprocess(jnp.asarray(image[None], jnp.float32) / 255, meta)
  return np.asarray(landmarkers.network(meta).apply(variables, shown))[0]


def test_faceapi_parity_with_numpy(tmp_path):
  """A network of random tensors answers as NumPy does, within rounding."""
  (tmp_path / "in").mkdir()
  tensors = write(tmp_path / "in")
  image = np.random.default_rng(1).integers(0, 256, (112, 112, 3)).astype(np.uint8)
  theirs = expected(tensors, image)
  # Random weights give large sums; parity is relative to their size.
  np.testing.assert_allclose(found(tmp_path / "in", tmp_path, image), theirs, atol=PARITY * np.abs(theirs).max())


@pytest.mark.skipif(
  not PUBLIC.is_dir(), reason=f"the public network is not in {PUBLIC}; $QM_VAE_DATA names another place"
)
def test_faceapi_parity_of_the_public_network(tmp_path):
  """The public network answers as NumPy does, to a ten-thousandth of the side."""
  image = np.random.default_rng(2).integers(0, 256, (7, 7, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
  np.testing.assert_allclose(found(PUBLIC, tmp_path, image), expected(public_tensors(), image), atol=PARITY)


@pytest.mark.parametrize(
  ("change", "cut", "message"),
  [
    (lambda entries: entries[:-1], None, "do not belong together"),
    (lambda entries: entries, -5, "ends before fc/bias"),
    (lambda entries: [entries[0] | {"shape": [10**6, 10**6]}, *entries[1:]], None, "has the shape"),
    (lambda entries: [entries[0] | {"name": "other"}, *entries[1:]], None, "expected dense0/conv0/filters"),
    (lambda entries: [{"name": "x"}, *entries[1:]], None, "is damaged"),
    (
      lambda entries: [
        entries[0] | {"quantization": {"dtype": "uint8", "scale": float("nan"), "min": 0}},
        *entries[1:],
      ],
      None,
      "not finite",
    ),
  ],
)
def test_faceapi_damaged_files(tmp_path, change, cut, message):
  """A damaged manifest or binary file is named with what is wrong."""
  write(tmp_path, change, cut)
  with pytest.raises(ValueError, match=message) as error:
    faceapi_landmarks(tmp_path)
  assert MANIFEST in str(error.value)


def test_faceapi_missing_file(tmp_path):
  """A folder without the manifest, or without the file it names, is refused."""
  with pytest.raises(ValueError, match="is no file"):
    faceapi_landmarks(tmp_path)
  write(tmp_path)
  (tmp_path / "face_landmark_68_model.bin").unlink()
  with pytest.raises(ValueError, match="which is no file beside it"):
    faceapi_landmarks(tmp_path)


def test_landmarker_refuses_numbers_that_are_not_finite(tmp_path):
  """A network whose weights were damaged to NaN finds no landmarks and says so."""
  write(tmp_path)
  meta, variables = faceapi_landmarks(tmp_path)
  networks.save(tmp_path / "network", meta, variables)
  whole = landmarkers.load(tmp_path / "network")
  variables["params"]["fc"]["bias"][3] = np.nan
  with pytest.raises(ValueError, match="not finite"):
    networks.save(tmp_path / "network", meta, variables)
  with pytest.raises(ValueError, match="not finite"):
    landmarkers.on_host(whole._replace(params=variables))(np.zeros((1, 64, 64, 3), np.uint8))
