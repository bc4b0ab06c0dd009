"""Files of every format that is read, ways to damage them, and what a reader may answer to that.

`python tests/support/hostile.py SEED COUNT` prints how many of COUNT damaged inputs of each kind were held.
"""

import collections
import io
import json
import math
import os
import pathlib
import pickle
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SECONDS = 5  # a reader that takes longer hangs
MEMORY = 2**30  # bytes, that a reader may add

_STRANGE = (
  None, True, [], {}, "", "x", -1, 0, 1e308, float("nan"), float("inf"), 10**400, 2**63, [[]], ["a", 1], {"a": {}},
  "\ud800", "../../x", "/etc/passwd", "x" * 5000, [0] * 300, -0.5, 48, "fsq", {"sha256": 3},
)  # fmt: skip
_TOKENS = (
  b"\xff\xfe", b"\x00", b"null", b"[]", b"{}", b"NaN", b"1e999", b"9" * 5000, b"[" * 100_000, b'{"a":' * 50_000,
  b"-1", b",", b'"', b"\n", b"\xef\xbb\xbf", b"../../etc/passwd", b"x" * 200_000, b"\r\n\r\n", b"'", b"True",
)  # fmt: skip


class Kind(NamedTuple):
  """One format: `write` makes a whole one in a folder, `damage` spoils it, `read` is what a program calls."""

  write: Callable[[pathlib.Path], None]
  damage: Callable[[random.Random, pathlib.Path], str]  # returns the name of the spoilt file
  read: Callable[[pathlib.Path], Any]
  apart: bool = False  # read in a process of its own, for what may hang in C, where no signal's handler runs


class Hung(BaseException):
  """Not an Exception, so that no reader catches it."""


def spoil_bytes(rng: random.Random, content: bytes) -> bytes:
  """The bytes cut, flipped, doubled, or with something strange between."""
  how = rng.randrange(6)
  at = rng.randrange(len(content) + 1)
  if how == 0:
    return content[:at]
  if how == 1:
    return content[:at] + rng.choice(_TOKENS) + content[at:]
  if how == 2:
    return content[:at] + rng.choice(_TOKENS) + content[at + rng.randrange(1, 9) :]
  if how == 3:
    return content[:at] + content[at + rng.randrange(1, 1 + len(content) // 2) :]
  if how == 4:
    return rng.choice(_TOKENS)
  spoilt = bytearray(content)
  for _ in range(rng.choice((1, 1, 3, 30))):
    if spoilt:
      spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
  return bytes(spoilt)


def _any_file(*names):
  def damage(rng, folder):
    name = rng.choice(names)
    path = folder / name
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return name

  return damage


def spoil_tree(rng: random.Random, tree: Any) -> Any:
  """JSON's values with one dropped, or replaced by something strange."""
  places = []

  def walk(node):
    if isinstance(node, dict | list):
      keys = list(node) if isinstance(node, dict) else range(len(node))
      for key in keys:
        places.append((node, key))
        walk(node[key])

  walk(tree)
  if not places or rng.random() < 0.05:
    return rng.choice(_STRANGE)
  node, key = rng.choice(places)
  if rng.random() < 0.3:
    del node[key]
  elif isinstance(node, dict) and rng.random() < 0.15:
    node[rng.choice(("x", "__class__", "kind"))] = node[key]
  else:
    node[key] = rng.choice(_STRANGE)
  return tree


def _json_file(name, also_bytes=0.3):
  def damage(rng, folder):
    path = folder / name
    if rng.random() < also_bytes:
      path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    else:
      path.write_text(json.dumps(spoil_tree(rng, json.loads(path.read_text())), ensure_ascii=True))
    return name

  return damage


def _npz_file(name):
  """Spoils the arrays of an archive, or its bytes."""

  def damage(rng, folder):
    path = folder / name
    if rng.random() < 0.3:
      path.write_bytes(spoil_bytes(rng, path.read_bytes()))
      return name
    with np.load(path) as file:
      arrays = {key: file[key] for key in file.files}
    key = rng.choice(list(arrays))
    how = rng.randrange(8)
    raw = {}
    if how == 0:
      del arrays[key]
    elif how == 1:
      other = rng.choice((np.complex64, np.float64, np.int64, "S3", "U2", bool))
      is_text = arrays[key].dtype.kind in "US"  # which is no number of every kind
      arrays[key] = np.zeros(arrays[key].shape, other) if is_text else arrays[key].astype(other)
    elif how == 2:
      arrays[key] = arrays[key].ravel()[: rng.randrange(1 + arrays[key].size)]
    elif how == 3:
      arrays[key] = np.array([{}, "x"], object)
    elif how == 4:
      arrays[key] = arrays[key][..., None]
    elif how == 5:
      arrays[key] = np.full(arrays[key].shape, np.nan)
    elif how == 6:
      arrays[key] = np.float32(3)
    else:  # a header that claims far more than there is, or unfolds to it
      header = io.BytesIO()
      shape = rng.choice(((2**40,), (2**31, 48, 48), (-1, 5), (10**9,)))
      np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
      raw = {key: header.getvalue() + (bytes(2**27) if rng.random() < 0.1 else b"abc")}
      del arrays[key]
    np.savez(path, **arrays)
    for name_of, content in raw.items():
      with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name_of}.npy", content)
    return name

  return damage


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


def _fer_npz(folder):
  x = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
  classes = np.array(["angry", "happy", "sad"])
  np.savez(folder / "fer.npz", Training_x=x, Training_y=np.arange(4) % 3, classes=classes)


def _fer_csv(folder):
  pixels = " ".join(["7"] * 2304)
  rows = "".join(f"{i},{pixels},Training\n" for i in range(4))
  (folder / "fer.csv").write_text(f"emotion,pixels,Usage\n{rows}")


def _picture(folder):
  from PIL import Image

  image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
  for name in ("a.png", "b.jpg", "c.gif", "d.tif", "e.webp", "f.bmp"):
    image.save(folder / name)


def _spoil_picture(rng, folder):
  if rng.random() < 0.2:
    import struct
    import zlib

    sides = rng.choice(((14_000, 12_600), (2**31 - 1, 2**31 - 1), (0, 9), (13_000, 13_600), (1, 2**31 - 1)))
    packed = lambda tag, data: struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    head = packed(b"IHDR", struct.pack(">IIBBBBB", *sides, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(2**24))
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + packed(b"IDAT", rows) + packed(b"IEND", b""))
    return "a.png"
  return _any_file(*(path.name for path in sorted(folder.iterdir())))(rng, folder)


def _expression(folder):
  import jax
  import jax.numpy as jnp

  from qm_vae.io import networks
  from qm_vae.services import expression

  meta = expression.describe("mini_xception", 48, ("a", "b"))
  made = jax.eval_shape(expression.network(meta).init, jax.random.key(0), jnp.zeros((1, 48, 48, 1)))
  networks.save(folder, meta, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), made))


def _read_expression(folder):
  from qm_vae.services import expression

  service = expression.load(folder)
  expression.features(folder)
  import jax

  return jax.eval_shape(service.apply, service.params, jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))


def _embedder(folder):
  import jax
  import jax.numpy as jnp

  from qm_vae.embedders import network
  from qm_vae.io import networks

  meta = network.describe("small", (32, 32), (8, 12, 24, 12), mean=127.5, scale=128)
  made = jax.eval_shape(network.network(meta).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
  networks.save(folder, meta, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), made))


def _read_embedder(folder):
  import jax

  from qm_vae import embedders

  one = embedders.EMBEDDERS["network"](folder)
  shapes = (jax.ShapeDtypeStruct((1, 40, 40, 3), np.float32), jax.ShapeDtypeStruct((1, 4), np.float32))
  return jax.eval_shape(one.apply, one.params, *shapes)


def _run(folder):
  from qm_vae.experiments import schema

  (folder / "config.json").write_text(json.dumps(schema.config_dict(schema.Config()).to_dict()))


def _read_run(folder):
  from qm_vae.experiments import config_file, schema

  schema.check(config_file.load(folder))


def _provenance(folder):
  (folder / "provenance.json").write_text(json.dumps({"train": "a", "test": "b", "networks": {"service": "c"}}))


def _read_provenance(folder):
  from unittest import mock

  from qm_vae.experiments import provenance

  now = {"train": "a", "test": "b", "networks": {"service": "c"}}
  with mock.patch.object(provenance, "digests", lambda *_: now):
    provenance.check(None, None, folder)


def _celeba(folder):
  from PIL import Image

  (folder / "img_align_celeba").mkdir()
  for i in range(1, 4):
    Image.new("RGB", (20, 20)).save(folder / f"img_align_celeba/{i:06}.jpg")
  names = [f"{i:06}.jpg" for i in range(1, 4)]
  (folder / "identity_CelebA.txt").write_text("".join(f"{name} {i}\n" for i, name in enumerate(names)))
  (folder / "list_eval_partition.txt").write_text("".join(f"{name} 0\n" for name in names))
  rows = "".join(f"{name} 1 -1\n" for name in names)
  (folder / "list_attr_celeba.txt").write_text(f"3\nSmiling Young\n{rows}")


def _celeba_csv(folder):
  _celeba(folder)
  (folder / "identity_CelebA.txt").unlink()
  (folder / "list_attr_celeba.txt").unlink()
  (folder / "labels.csv").write_text("image,identity\n000001.jpg,1\n000002.jpg,2\n000003.jpg,2\n")
  (folder / "attributes.csv").write_text("image,Smiling,Young\n000001.jpg,1,-1\n000002.jpg,-1,1\n000003.jpg,1,1\n")


def _read_celeba(folder):
  from qm_vae.data import celeba_folder

  celeba_folder.make(root=str(folder), partition="train")


def _csv(folder):
  from PIL import Image

  for i in range(3):
    Image.new("RGB", (20, 20)).save(folder / f"{i}.png")
  (folder / "people.csv").write_text("image,identity,expression\n0.png,a,happy\n1.png,a,\n2.png,,sad\n")


def _spoil_csv(rng, folder):
  path = folder / "people.csv"
  if rng.random() < 0.3:
    outside = rng.choice(("../outside.png", "/etc/passwd", str(folder.parent / "outside.png"), "./../outside.png"))
    path.write_text(path.read_text().replace("1.png", outside))
    return "people.csv"
  return _any_file("people.csv")(rng, folder)


def _read_csv(folder):
  from qm_vae.data import folder as source

  (folder.parent / "outside.png").write_bytes((folder / "0.png").read_bytes())
  made = source.make(root=str(folder), csv=str(folder / "people.csv"))
  outside = [name for name in made.names if not (folder / name).resolve().is_relative_to(folder.resolve())]
  if outside:
    raise AssertionError(f"files outside the root were taken: {outside}")
  return made.fingerprint


def _torch_pickle(storages):
  """A state dict of two tensors, by hand: MARK-free opcodes of protocol 2."""
  body = b"\x80\x02}"  # PROTO 2, EMPTY_DICT

  def piece(obj):
    stream = io.BytesIO()
    pickle.Pickler(stream, 2).dump(obj)
    return stream.getvalue()[2:-1]  # without PROTO and STOP

  for key, (kind, size, shape, strides) in storages.items():
    pid = b"(" + piece("storage") + f"ctorch\n{kind}\n".encode() + piece(key) + piece("cpu") + piece(size) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + piece(0) + piece(shape) + piece(strides)
    tensor += b"\x89" + b"ccollections\nOrderedDict\n)R" + b"tR"
    body += piece(f"layer.{key}") + tensor + b"s"
  return body + b"."


def _torch(folder, change=None, extra=b""):
  storages = {"0": ("FloatStorage", 6, (2, 3), (3, 1)), "1": ("FloatStorage", 4, (4,), (1,))}
  storages.update(change or {})
  with zipfile.ZipFile(folder / "net.pt", "w") as archive:
    archive.writestr("net/data.pkl", extra or _torch_pickle(storages))
    archive.writestr("net/byteorder", "little")
    archive.writestr("net/data/0", np.arange(6, dtype="<f4").tobytes())
    archive.writestr("net/data/1", np.arange(4, dtype="<f4").tobytes())


def _bomb(rng):
  """A small pickle that unfolds: doubling texts, tuples of themselves, a memo of 2**31, keys that hash for ages."""
  memo = b"\x80\x02" + b"(lq\x00"
  kind = rng.randrange(8)
  if kind == 0:  # a memo index far away allocates the memo
    return b"\x80\x02}r\xff\xff\xff\x0f."
  if kind == 1:  # nested tuples used as a key: hashing visits 2**60
    return b"\x80\x02})" + b"2\x86" * 60 + b"Ns."
  if kind == 2:
    return b"\x80\x02" + b"(" * 100_000 + b"."
  if kind == 3:  # a long integer of many digits
    return b"\x80\x02I" + b"9" * 100_000 + b"\n."
  if kind == 4:
    return b"\x80\x04\x96" + (2**40).to_bytes(8, "little") + b"."  # BYTEARRAY8 that claims a terabyte
  if kind == 5:
    return memo + b"h\x00a" * 1000 + b"."
  if kind == 6:  # an enormous name
    return b"\x80\x02ccollections\n" + b"OrderedDict" * 10_000 + b"\n."
  return b"\x80\x02cos\nsystem\n(X\x05\x00\x00\x00touchtR."


def _spoil_torch(rng, folder):
  how = rng.random()
  if how < 0.35:
    path = folder / "net.pt"
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
  elif how < 0.55:
    content = spoil_bytes(rng, _torch_pickle({"0": ("FloatStorage", 6, (2, 3), (3, 1))}))
    _torch(folder, extra=content or b".")
  elif how < 0.8:
    shape = rng.choice(((2**31, 0), (2**31,) * 3, (1,) * 200, (2**20,), (2**28,), (2**40, 0), (0, 2**62), (10**30,)))
    strides = rng.choice(((0,) * len(shape), (1,) * len(shape), (2**62,) * len(shape)))
    size = rng.choice((6, 1, 2**33, 0))
    _torch(folder, {"0": ("FloatStorage", size, shape, strides)})
  else:
    bomb = _bomb(rng)
    if rng.random() < 0.5:
      _torch(folder, extra=bomb)
    else:
      (folder / "net.pt").write_bytes(bomb)
  return "net.pt"


def _read_torch(folder):
  from qm_vae.convert import torch_file

  return torch_file.load(folder / "net.pt")


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


def _metrics(folder):
  rows = [{"step": i, "split": "test", "loss": 0.1, "epoch": i} for i in range(5)]
  (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _read_metrics(folder):
  from qm_vae.io import records

  records.rewind(folder, 3)


def _http(folder):
  (folder / "answer").write_text(json.dumps({"answers": [[0.1, 0.9], [0.5, 0.5]]}))


def _read_http(folder):
  from qm_vae.services import black_box, http
  from qm_vae.services.answers import Quality

  text = (folder / "answer").read_bytes()
  client = lambda images: http._read("https://answer", text, len(images))
  box = black_box.BlackBox("answer", client, Quality("classes", ("a", "b")), black_box.Asking(retries=0))
  try:
    box.ask(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3))
  finally:
    box.close()


def _answers(folder):
  (folder / "answers.jsonl").write_text("".join(json.dumps([str(i), [0.1, 0.9]]) + "\n" for i in range(4)))
  (folder / "ledger.sent").write_text("3\n4\n")


def _read_answers(folder):
  from qm_vae.services import black_box
  from qm_vae.services.answers import Quality

  paths = {"answers": folder / "answers.jsonl", "ledger": folder / "ledger.sent"}
  black_box.BlackBox("x", lambda images: images, Quality("classes", ("a", "b")), **paths).close()


def _faces(folder):
  from tiny_run import faces

  from qm_vae.faces import cache

  cache._write(folder / "faces.npz", faces(4))


def _read_faces(folder):
  from qm_vae.faces import cache

  return cache._read(folder / "faces.npz")


def _sidecar(folder):
  frames = [{"frame": 0, "faces": [{"track": 1, "box": [1, 2, 3, 4]}]}]
  record = {"version": 1, "finding": {"detector": "haar"}, "frames": frames, "tracks": [{"track": 1}]}
  (folder / "side.json").write_text(json.dumps(record))


def _read_sidecar(folder):
  from qm_vae.deidentify import selection

  selection._one(f"{folder / 'side.json'}:1", {"detector": "haar"})


def _report(folder):
  (folder / "report.json").write_text(json.dumps({"version": 1, "methods": [{"name": "x"}]}))
  np.savez(folder / "evaluation.npz", a=np.zeros(3))


def _read_report(folder):
  from qm_vae.report import files

  files.read(folder, files.RUN)


def _onnx_beside(folder):
  (folder / "net.onnx").write_bytes(b"none")
  (folder / "net.json").write_text(json.dumps({"input_range": "0..1", "layout": "NCHW", "size": [112, 112]}))


def _read_onnx_beside(folder):
  from qm_vae import embedders

  embedders._beside(folder / "net.onnx")


def _people(folder):
  (folder / "people.csv").write_text("image,identity\na.png,x\nb.png,y\n")


def _read_people(folder):
  from qm_vae.audit import people

  people._rows(folder / "people.csv", "image", "identity")


def _read(module, function, name):
  def read(folder):
    import importlib

    return getattr(importlib.import_module(module), function)(folder / name)

  return read


def _read_fer(name):
  def read(folder):
    from qm_vae.data import fer2013

    return fer2013.make(path=str(folder / name))[0]

  return read


def _read_pictures(folder):
  from qm_vae.io import images

  for path in sorted(folder.iterdir()):
    images.read_image(path)


KINDS = {
  "hdf5": Kind(_hdf5, _spoil_hdf5, _read("qm_vae.convert.keras", "keras_expression", "net.hdf5"), apart=True),
  "torch": Kind(_torch, _spoil_torch, _read_torch, apart=True),
  "faceapi": Kind(_faceapi, _json_file("face_landmark_68_model-weights_manifest.json"), _read_faceapi),
  "fer2013.npz": Kind(_fer_npz, _npz_file("fer.npz"), _read_fer("fer.npz"), apart=True),
  "fer2013.csv": Kind(_fer_csv, _any_file("fer.csv"), _read_fer("fer.csv")),
  "network.json, expression": Kind(_expression, _json_file("network.json", 0.2), _read_expression),
  "network.json, embedder": Kind(_embedder, _json_file("network.json", 0.2), _read_embedder),
  "arrays.npz": Kind(_expression, _npz_file("arrays.npz"), _read_expression),
  "config.json": Kind(_run, _json_file("config.json"), _read_run),
  "provenance.json": Kind(_provenance, _json_file("provenance.json"), _read_provenance),
  "metrics.jsonl": Kind(_metrics, _any_file("metrics.jsonl"), _read_metrics),
  "celeba lists": Kind(
    _celeba, _any_file("identity_CelebA.txt", "list_eval_partition.txt", "list_attr_celeba.txt"), _read_celeba
  ),
  "celeba csv": Kind(_celeba_csv, _any_file("labels.csv", "attributes.csv"), _read_celeba),
  "folder csv": Kind(_csv, _spoil_csv, _read_csv),
  "pictures": Kind(_picture, _spoil_picture, _read_pictures, apart=True),
  "http answer": Kind(_http, _json_file("answer"), _read_http),
  "kept answers": Kind(_answers, _any_file("answers.jsonl", "ledger.sent"), _read_answers),
  "face cache": Kind(_faces, _npz_file("faces.npz"), _read_faces),
  "sidecar": Kind(_sidecar, _json_file("side.json"), _read_sidecar),
  "report.json": Kind(_report, _json_file("report.json"), _read_report),
  "embedder's json": Kind(_onnx_beside, _json_file("net.json"), _read_onnx_beside),
  "people.csv": Kind(_people, _any_file("people.csv"), _read_people),
}
"""Every format by name."""


def _snapshot(folder):
  return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def verdict(kind: Kind, rng: random.Random, scratch: pathlib.Path) -> str:
  """'' where a damaged input was held; else what went wrong: the exception, a hang, memory, a file outside."""
  home = scratch / "case"
  shutil.rmtree(home, ignore_errors=True)
  folder = home / "input"
  folder.mkdir(parents=True)
  kind.write(folder)
  name = kind.damage(rng, folder)
  (home / "outside.png").touch()
  before = _snapshot(scratch)
  answer = _apart(kind, folder, name) if kind.apart else _limited(kind, folder, name)
  added = [path for path in _snapshot(scratch) if path not in before and not path.is_relative_to(folder)]
  return answer or (f"files outside: {added}" if added else "")


def _apart(kind, folder, name):
  reading, writing = os.pipe()
  child = os.fork()
  if not child:
    os.close(reading)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.write(writing, _limited(kind, folder, name).encode()[:4000])
    os._exit(0)
  os.close(writing)
  with os.fdopen(reading, "rb") as pipe:
    ended, _, _ = select.select([pipe], [], [], SECONDS + 2)
    if not ended:
      os.kill(child, signal.SIGKILL)
    answer = pipe.read().decode() if ended else f"hang over {SECONDS} s"
  status = os.waitpid(child, 0)[1]
  return answer or (f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "")


def _limited(kind, folder, name):
  began = time.perf_counter()
  limits = resource.getrlimit(resource.RLIMIT_AS)
  with open("/proc/self/statm", encoding="ascii") as file:
    mapped = int(file.read().split()[0]) * resource.getpagesize()
  handler = signal.signal(signal.SIGALRM, _hang)
  signal.setitimer(signal.ITIMER_REAL, SECONDS)
  resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, limits[1]))
  try:
    kind.read(folder)
    answer = ""
  except Hung:
    answer = f"hang over {SECONDS} s"
  except BaseException as error:
    answer = _judge(error, name)
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)
    resource.setrlimit(resource.RLIMIT_AS, limits)
  if not answer and time.perf_counter() - began > SECONDS:
    answer = f"hang over {SECONDS} s"
  return answer


def _hang(*_):
  raise Hung


def _judge(error, name):
  chain, one = [], error
  while one is not None:
    chain.append(one)
    one = one.__cause__ or one.__context__
  if any(isinstance(one, MemoryError) for one in chain):
    return f"memory over {MEMORY} bytes"
  caught = isinstance(error, ValueError | OSError | RuntimeError) and not isinstance(error, RecursionError)
  if not caught and type(error).__name__ not in ("UnreadableImage", "Unavailable"):
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "qm_vae" in frame.filename] or frames
    return f"traceback {type(error).__name__}: {str(error)[:80]} at {ours[-1].name}:{ours[-1].lineno}"
  if name not in str(error):
    return f"no name of the file in {type(error).__name__}: {str(error)[:100]}"
  if len(str(error)) > 3000:
    return f"a message of {len(str(error))} characters"
  return ""


def main() -> None:
  """Prints a table of what was tried and held."""
  seed, count = int(sys.argv[1]), int(sys.argv[2])
  chosen = sys.argv[3:] or list(KINDS)
  tried = held = 0
  with tempfile.TemporaryDirectory() as scratch:
    for name in chosen:
      whole = pathlib.Path(scratch) / name.replace(" ", "_")
      whole.mkdir()
      KINDS[name].write(whole)
      KINDS[name].read(whole)  # imports and compilation are no part of what is timed
      rng, wrong = random.Random(f"{seed} {name}"), collections.Counter()
      for _ in range(count):
        wrong[verdict(KINDS[name], rng, pathlib.Path(scratch))] += 1
      good = wrong.pop("", 0)
      tried, held = tried + count, held + good
      print(f"{name:28} {good:5} of {count}", flush=True)
      if os.environ.get("SHOW"):
        for words, times in wrong.most_common(12):
          print(f"    {times:4} {words[:230]!r}", flush=True)
  print(f"{'all':28} {held:5} of {tried}")


if __name__ == "__main__":
  sys.path.insert(0, str(pathlib.Path(__file__).parent))
  main()
