"""A face recogniser of any make, as an ONNX file run by onnxruntime on the CPU."""

import os
import pathlib
import re

import jax
import numpy as np
import onnxruntime

from qm_vae import embedders
from qm_vae.alignment import TEMPLATE_EYES, align
from qm_vae.types import HostEmbedder

_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_FORMULA = rf"\(\s*x\s*-\s*{_NUMBER}\s*\)\s*/\s*{_NUMBER}"
_INTERVAL = rf"\[?\s*{_NUMBER}\s*(?:\.\.|,)\s*{_NUMBER}"


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
  path = pathlib.Path(path)
  try:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
  except Exception as error:  # onnxruntime's own exceptions share no narrower base
    raise ValueError(f"{path} cannot be opened by onnxruntime ({error}); expected an ONNX file") from error
  told = session.get_modelmeta().custom_metadata_map
  if len(session.get_inputs()) != 1 or len(session.get_inputs()[0].shape) != 4:
    raise ValueError(f"{path} takes {[i.shape for i in session.get_inputs()]}; expected one batch of images")
  shape = session.get_inputs()[0].shape
  layout = _choice(path, "layout", layout or told.get("input_layout") or _layout(shape), ("NCHW", "NHWC"))
  colour = _choice(path, "colour", colour or told.get("colour"), ("RGB", "BGR"))
  factor, offset = _range(path, input_range or told.get("input_range"))
  size = tuple(size or _size(path, layout, shape, told.get("input_shape", "")))
  eyes = _eyes(path, eyes, told.get("eyes"), size)
  name = _output(path, session, output)
  batch_size = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else batch_size
  aligned = jax.jit(jax.vmap(lambda image, at: align(image.astype(np.float32), at, eyes, size)))

  def of_batch(image, at):
    x = np.asarray(aligned(image, at)) * factor + offset
    x = x[..., ::-1] if colour == "BGR" else x
    x = x.transpose(0, 3, 1, 2) if layout == "NCHW" else x
    (found,) = session.run([name], {session.get_inputs()[0].name: np.ascontiguousarray(x, np.float32)})
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)

  return lambda image, at: embedders.in_batches(of_batch, image, at, batch_size)


def _choice(path, name, value, allowed):
  if value not in allowed:
    raise ValueError(f"{path}: {name} is {value!r}; give {name}= one of {', '.join(allowed)}")
  return value


def _layout(shape):
  found = [layout for layout, axis in (("NCHW", 1), ("NHWC", 3)) if shape[axis] == 3]
  return found[0] if len(found) == 1 else None


def _range(path, text):
  """(factor, offset) that take 0..255 to the network's values."""
  text = text or ""
  if match := re.match(_FORMULA, text):
    mean, scale = map(float, match.groups())
    if scale:
      return 1 / scale, -mean / scale
  elif match := re.match(_INTERVAL, text):
    low, high = map(float, match.groups())
    if low < high:
      return (high - low) / 255, low
  raise ValueError(f'{path}: input_range is {text!r}; give input_range= such as "0..1", "-1..1" or "(x-127.5)/128"')


def _size(path, layout, shape, text):
  """(height, width) from the input's shape, else from `text` such as Nx3x112x96."""
  rows, columns = (2, 3) if layout == "NCHW" else (1, 2)
  if isinstance(shape[rows], int) and isinstance(shape[columns], int):
    return shape[rows], shape[columns]
  parts = re.match(r"\w+?x(\d+)x(\d+)x(\d+)", text)
  if not parts:
    raise ValueError(f"{path}: its input {shape} has no fixed height and width; give size=(height, width)")
  return int(parts[rows]), int(parts[columns])


def _eyes(path, eyes, text, size):
  if eyes is None and text:
    eyes = [float(number) for number in re.findall(_NUMBER, text)]
  eyes = TEMPLATE_EYES.get(size) if eyes is None else eyes
  if eyes is None or len(eyes) != 4:
    raise ValueError(
      f"{path}: nothing tells where the eyes stand in an input of {size[0]} x {size[1]} (height x width); give eyes= "
      "x, y of the eye at the left, x, y of the one at the right, pixels"
    )
  return tuple(eyes)


def _output(path, session, wanted):
  outputs = {output.name: output.shape for output in session.get_outputs()}
  name = wanted or next(iter(outputs))
  shape = outputs.get(name)
  if shape is None or len(shape) != 2:
    raise ValueError(f"{path}: output {name!r} is no batch of embeddings; give output= one of {outputs}")
  return name
