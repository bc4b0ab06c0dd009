"""Weights of other frameworks: Keras' HDF5, face-api.js, TensorFlow's checkpoints."""

import json
import math

import numpy as np

from hostile.spoiling import any_below, json_file, spoil_bytes, spoil_tree
from hostile.verdicts import Kind


def _hdf5(folder):
  import h5py

  from qm_vae.convert import keras

  made = np.random.default_rng(0)
  with h5py.File(folder / "net.hdf5", "w") as file:
    layers = [
      {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 48, 48, 1]}},
      {"class_name": "BatchNormalization", "config": {"epsilon": 1e-3}},
    ]
    file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
    for kind, number, tensor, shape in keras._keras_layout().values():
      file[f"model_weights/{kind}_{number}/{kind}_{number}_1/{tensor}:0"] = made.standard_normal(shape, np.float32)


def _spoil_hdf5(rng, folder):
  import h5py

  path = folder / "net.hdf5"
  if rng.random() < 0.5:
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:  # where the structure is
      for _ in range(rng.choice((1, 4, 40))):
        content[rng.randrange(min(len(content), 8192))] = rng.randrange(256)
      path.write_bytes(bytes(content))
    else:
      path.write_bytes(spoil_bytes(rng, bytes(content)))
    return "net.hdf5"
  with h5py.File(path, "a") as file:
    names = []
    file["model_weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    name = f"model_weights/{rng.choice(names)}"
    shape = file[name].shape
    how = rng.randrange(9)
    if how == 0:
      config = json.loads(file.attrs["model_config"])
      file.attrs["model_config"] = json.dumps(spoil_tree(rng, config))
    elif how == 1:
      file.attrs["model_config"] = rng.choice((3, [1, 2], "x", b"\xff\xff", "[" * 50_000))
    else:
      del file[name]
    if how == 2:
      file[name] = np.full(shape, np.nan, np.float32)
    elif how == 3:
      file[name] = np.full(shape, b"text")
    elif how == 4:
      file.create_dataset(name, (2**20, 2**12), chunks=(2**10, 2**10), dtype="f4", compression="gzip")
    elif how == 5:
      file[name] = h5py.ExternalLink("/etc/passwd", "x")
    elif how == 6:
      file[name] = h5py.Empty("f4")
    elif how == 7:
      file.create_dataset(name, shape, dtype=np.dtype([("a", "f4"), ("b", "i4")]))
    elif how == 8:
      file.create_dataset(name, shape, dtype="f4", external=[("/etc/passwd", 0, 16)] if np.prod(shape) <= 4 else None)
  return "net.hdf5"


def _faceapi(folder):
  from qm_vae.convert import faceapi

  shapes, channels = {}, 3
  for block, width in enumerate(faceapi._WIDTHS):
    for i in range(4):
      layer = f"dense{block}/conv{i}"
      if block == i == 0:
        shapes[f"{layer}/filters"] = (3, 3, channels, width)
      else:
        shapes[f"{layer}/depthwise_filter"] = (3, 3, channels, 1)
        shapes[f"{layer}/pointwise_filter"] = (1, 1, channels, width)
      shapes[f"{layer}/bias"] = (width,)
      channels = width
  shapes |= {"fc/weights": (channels, 136), "fc/bias": (136,)}
  packed = {"dtype": "uint8", "scale": 1.0, "min": 0.0}
  weights = [{"name": name, "shape": list(shape), "quantization": packed} for name, shape in shapes.items()]
  manifest = [{"weights": weights, "paths": ["net.bin"]}]
  (folder / faceapi.MANIFEST).write_text(json.dumps(manifest))
  (folder / "net.bin").write_bytes(bytes(sum(map(math.prod, shapes.values()))))


def _read_faceapi(folder):
  from qm_vae.convert import faceapi

  faceapi.faceapi_landmarks(folder)


def _bundle(folder):
  import tf_checkpoint

  made = np.random.default_rng(0)
  tensors = {f"scope/layer_{i}/kernel": made.standard_normal((3, i + 1)).astype(np.float32) for i in range(20)}
  tf_checkpoint.write(folder / "net", tensors)


def _read_bundle(folder):
  from qm_vae.convert import tf_bundle

  opened = tf_bundle.open_bundle(folder / "net")
  return [opened.read(name) for name in opened.entries]


def _read_hdf5(folder):
  from qm_vae.convert import keras

  return keras.keras_expression(folder / "net.hdf5")


KINDS = {
  "Keras HDF5": Kind(_hdf5, _spoil_hdf5, _read_hdf5, apart=True),
  "face-api.js": Kind(_faceapi, json_file("face_landmark_68_model-weights_manifest.json"), _read_faceapi),
  "TensorFlow checkpoint": Kind(_bundle, any_below, _read_bundle),
}
"""By name."""
