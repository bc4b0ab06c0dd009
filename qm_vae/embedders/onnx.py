"""A face recogniser of any make, as an ONNX file run by onnxruntime on the CPU."""

import os

import jax
import numpy as np

from qm_vae import embedders
from qm_vae.errors import InputError
from qm_vae.faces.alignment import TEMPLATE_EYES, align
from qm_vae.io import onnx
from qm_vae.types import HostEmbedder


def load(
  path: str | os.PathLike,
  *,
  input_range: str | None = None,
  layout: str | None = None,
  colour: str | None = None,
  size: tuple[int, int] | None = None,
  eyes: tuple[float, float, float, float] | None = None,
  output: str | None = None,
  batch_size: int = 64,
) -> HostEmbedder:
  """The embedder in an ONNX file.

  What is not given here comes from the file's metadata_props of the keys named below, then from the shape of its input;
  the eyes' places, for want of a key, from the two conventions in alignment.TEMPLATE_EYES.

  Args:
    path: the file; its one input is a batch of images.
    input_range: `input_range`; the values that the network takes, as an interval to which 0..255 is stretched
      ("0..255", "0..1", "-1..1") or a formula in 0..255 ("(x-127.5)/128"). What follows it is commentary.
    layout: `input_layout`; "NCHW" or "NHWC".
    colour: `colour`; "RGB" or "BGR".
    size: `input_shape`, such as "Nx3x112x96", in the order of the layout; here (height, width), pixels.
    eyes: `eyes`, four numbers; x, y of the eye at the input's left, x, y of the one at its right, pixels.
    output: name of the output that is the embedding [B, D]; the first one of the file.
    batch_size: images at a time, unless the file fixes it.

  Raises:
    ValueError: naming the file and the remedy: for what is no ONNX file, and for what nobody tells.
  """
  net = onnx.load(path, input_range=input_range, layout=layout, colour=colour, size=size)
  template = _eyes(net, eyes)
  name = net.output(output, "embeddings")
  aligned = jax.jit(jax.vmap(lambda image, at: align(image.astype(np.float32), at, template, net.size)))

  def of_batch(image, at):
    found = net.run(np.asarray(aligned(image, at)), name)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)

  return lambda image, at: embedders.in_batches(of_batch, image, at, net.fixed_batch or batch_size)


def _eyes(net, eyes):
  value = net.metadata.get("eyes")
  if eyes is None and value:
    eyes = onnx.numbers(value)
  eyes = TEMPLATE_EYES.get(net.size) if eyes is None else eyes
  if eyes is None or len(eyes) != 4:
    raise InputError(
      f"{net.path}: nothing tells where the eyes stand in an input of {net.size[0]} x {net.size[1]} (height x width); "
      "give eyes= x, y of the eye at the left, x, y of the one at the right, pixels"
    )
  return tuple(eyes)
