"""Networks in folders of their own and in ONNX files."""

import json

import numpy as np

from hostile.spoiling import cached, json_file, npz_file, spoil_bytes
from hostile.verdicts import Kind


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


def _onnx_beside(folder):
  (folder / "net.onnx").write_bytes(b"none")
  (folder / "net.json").write_text(json.dumps({"input_range": "0..1", "layout": "NCHW", "size": [112, 112]}))


def _read_onnx_beside(folder):
  from qm_vae import embedders

  embedders._beside(folder / "net.onnx")


def _saved(folder, meta, module, *inputs):
  import jax

  from qm_vae.io import networks

  made = jax.eval_shape(module.init, jax.random.key(0), *inputs)
  networks.save(folder, meta, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), made))


def _attributes(folder):
  import jax.numpy as jnp

  from qm_vae.services import attributes, expression

  meta = attributes.describe("mini_xception", 48, ("a", "b"))
  _saved(folder, meta, expression.network(meta), jnp.zeros((1, 48, 48, 3)))


def _read_attributes(folder):
  import jax

  from qm_vae.services import attributes

  service = attributes.load(folder)
  return jax.eval_shape(service.apply, service.params, jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))


def _landmarks(folder):
  import jax.numpy as jnp

  from qm_vae import landmarkers

  meta = landmarkers.describe("dense_68", 32, mean=(1.0, 2.0, 3.0), scale=255.0, margin=0.1)
  _saved(folder, meta, landmarkers.network(meta), jnp.zeros((1, 32, 32, 3)))


def _read_landmarks(folder):
  import jax

  from qm_vae import landmarkers

  one = landmarkers.load(folder)
  return jax.eval_shape(one.features, one.params, jax.ShapeDtypeStruct((1, 40, 40, 3), np.float32))


def _face(size):
  import jax

  from qm_vae.types import Face

  shape = lambda *sides: jax.ShapeDtypeStruct(sides, np.float32)
  return Face(shape(size, size, 3), shape(size, size, 1), shape(4), shape(68, 2)), jax.random.key(0)


def _ugatit(folder):
  import jax.numpy as jnp

  from qm_vae.deidentifiers import _ugatit
  from qm_vae.models.ugatit import Generator

  meta = _ugatit.describe(16, channels=4, blocks=1)
  _saved(folder, meta, Generator(**meta["options"]), jnp.zeros((1, 16, 16, 3)))


def _read_ugatit(folder):
  import jax

  from qm_vae.deidentifiers import DEIDENTIFIERS

  one = DEIDENTIFIERS["ugatit"](checkpoint=folder)
  return jax.eval_shape(one.apply, one.params, *_face(32))


def _amt_gan(folder):
  import jax

  from qm_vae.deidentifiers import _amt_gan
  from qm_vae.io import networks
  from qm_vae.models.amt_gan import Generator

  meta = _amt_gan.describe(16, channels=4)
  zeros = lambda leaf: np.zeros(leaf.shape, leaf.dtype)
  made = jax.tree.map(zeros, _amt_gan.shapes(Generator(**meta["options"]), 16))
  networks.save(folder, meta, made | {"reference": _amt_gan.reference_of(np.zeros((16, 16, 3), np.uint8), np.zeros(4))})


def _read_amt_gan(folder):
  import jax

  from qm_vae.deidentifiers import DEIDENTIFIERS

  one = DEIDENTIFIERS["amt_gan"](checkpoint=folder)
  return jax.eval_shape(one.apply, one.params, *_face(32))


def _onnx(folder):
  """One layer over the flattened input: ten numbers an image."""
  import onnx_files as form

  weights = np.random.default_rng(0).standard_normal((3 * 8 * 8, 10)).astype(np.float32)
  graph = form.node("Flatten", ["x"], "flat") + form.node("MatMul", ["flat", "w"], "y") + form.constant("w", weights)
  words = {"input_range": "0..1", "input_layout": "NCHW", "colour": "RGB", "eyes": "2 3 6 3"}
  form.write(folder / "net.onnx", [("x", (1, 3, 8, 8))], graph, [("y", (1, 10))], **words)


def _onnx_boxes(folder):
  """A detector that answers with two boxes and their scores, whatever it sees."""
  import onnx_files as form

  graph = form.node("Identity", ["b"], "boxes") + form.node("Identity", ["s"], "scores")
  graph += form.constant("b", [[[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.9, 0.9]]])
  graph += form.constant("s", [[[0.1, 0.9], [0.8, 0.2]]])
  form.write(folder / "net.onnx", [("x", (1, 3, 40, 80))], graph, [("boxes", (1, 2, 4)), ("scores", (1, 2, 2))])


def _onnx_objects(folder):
  """YOLO's list of boxes, whatever it sees."""
  import onnx_files as form

  graph = form.node("Identity", ["b"], "y") + form.constant("b", np.full((1, 6, 9), 0.5))
  form.write(folder / "net.onnx", [("x", (1, 3, 32, 32))], graph, [("y", (1, 6, 9))], names="{0: 'plate', 1: 'car'}")


def _spoil_onnx(rng, folder):
  path = folder / "net.onnx"
  if rng.random() < 0.5:
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return "net.onnx"
  import onnx_files as form

  graph, inputs, outputs = form.node("Identity", ["w"], "y"), [("x", (1, 3, 8, 8))], [("y", (1, 10))]
  how = rng.randrange(7)
  if how == 0:  # fills gigabytes
    graph = form.node("ConstantOfShape", ["w"], "y") + form.integers("w", [2**17, 2**15])
  elif how == 1:  # claims them
    graph += form.field(5, form.field(1, 2**40) + form.field(2, 1) + form.field(8, "w") + form.field(9, b"abc"))
  elif how == 2:  # weights in another file
    place = form.field(1, "location") + form.field(2, rng.choice(("/etc/passwd", "../outside.png")))
    words = form.field(8, "w") + form.field(13, place) + form.field(14, 1)
    graph += form.field(5, form.field(1, 10) + form.field(2, 1) + words)
  elif how == 3:
    graph += form.constant("w", np.full((1, 10), np.nan))
  elif how == 4:
    graph = form.node("NoSuchOperator", ["x"], "y")
  elif how == 5:
    inputs, outputs = [("x", (1, 3, 2**20, 2**20))], [("y", (1, 3, 2**20, 2**20))]
    graph = form.node("Relu", ["x"], "y")
  else:
    graph += form.constant("w", np.zeros((0, 10)))
  form.write(path, inputs, graph, outputs, input_range="0..1", input_layout="NCHW", colour="RGB", eyes="2 3 6 3")
  return "net.onnx"


_PHOTO = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), np.uint8)


def _read_onnx_embedder(folder):
  from qm_vae import embedders

  return embedders.open_embedder(folder / "net.onnx").embed(_PHOTO, np.float32([[10, 15, 30, 15]]))


def _read_onnx_service(folder):
  from qm_vae.services import black_box, onnx
  from qm_vae.services.answers import Quality

  client = onnx.make(str(folder / "net.onnx"), logits="softmax")
  classes = Quality("classes", tuple("abcdefghij"))
  box = black_box.BlackBox(str(folder / "net.onnx"), client, classes, black_box.Asking(retries=0))
  try:
    return box.ask(_PHOTO)
  finally:
    box.close()


def _read_onnx_detector(folder):
  from qm_vae.faces import detectors

  return detectors.open_detector(str(folder / "net.onnx"), threads=1).find(_PHOTO[0])


def _read_onnx_objects(folder):
  from qm_vae.faces.detectors import objects

  return objects.of_file(folder / "net.onnx", ["plate"], threads=1).find(_PHOTO[0])


KINDS = {
  "network folder, expression": Kind(_expression, json_file("network.json", 0.2), _read_expression),
  "network folder, attributes": Kind(cached(_attributes), json_file("network.json", 0.2), _read_attributes),
  "network folder, embedder": Kind(_embedder, json_file("network.json", 0.2), _read_embedder),
  "network folder, landmarks": Kind(cached(_landmarks), json_file("network.json", 0.2), _read_landmarks),
  "network folder, U-GAT-IT": Kind(cached(_ugatit), json_file("network.json", 0.2), _read_ugatit),
  "network folder, AMT-GAN": Kind(cached(_amt_gan), json_file("network.json", 0.2), _read_amt_gan),
  "network folder, arrays": Kind(_expression, npz_file("arrays.npz"), _read_expression),
  "ONNX, embedder": Kind(_onnx, _spoil_onnx, _read_onnx_embedder, apart=True),
  "ONNX, service": Kind(_onnx, _spoil_onnx, _read_onnx_service, apart=True),
  "ONNX, detector": Kind(_onnx_boxes, _spoil_onnx, _read_onnx_detector, apart=True),
  "ONNX, objects": Kind(_onnx_objects, _spoil_onnx, _read_onnx_objects, apart=True),
  "JSON beside ONNX": Kind(_onnx_beside, json_file("net.json"), _read_onnx_beside),
}
"""By name."""
