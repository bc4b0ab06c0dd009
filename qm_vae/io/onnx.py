"""Networks that take images, read from ONNX files and run by onnxruntime on the CPU."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnxruntime

from qm_vae.errors import InputError, InvalidFile

_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_FORMULA = rf"\(\s*x\s*-\s*{_NUMBER}\s*\)\s*/\s*{_NUMBER}"
_INTERVAL = rf"\[?\s*{_NUMBER}\s*(?:\.\.|,)\s*{_NUMBER}"

_REMEDY = "export the network anew"

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in a grey image: ITU-R BT.601."""


class ImageNetwork(NamedTuple):
  """An ONNX file whose one input is a batch of images."""

  path: pathlib.Path
  session: onnxruntime.InferenceSession
  metadata: dict[str, str]  # the file's metadata_props
  size: tuple[int, int]  # height, width of the input, pixels
  fixed_batch: int  # images that the file wants at a time; 0: any number
  layout: str
  colour: str
  factor: float
  offset: float

  def run(self, image: np.ndarray, output: str) -> np.ndarray:
    """The output called `output` for images [B, height, width, 3] RGB in 0..255."""
    x = image * self.factor + self.offset
    if self.colour == "BGR":
      x = x[..., ::-1]
    elif self.colour == "grey":
      x = (image @ np.asarray(LUMA, np.float32))[..., None] * self.factor + self.offset
    x = x.transpose(0, 3, 1, 2) if self.layout == "NCHW" else x
    inputs = {self.session.get_inputs()[0].name: np.ascontiguousarray(x, np.float32)}
    (found,) = answers(self.path, self.session, [output], inputs)
    return np.asarray(found)

  def output(self, wanted: str | None, what: str) -> str:
    """The name of the output `wanted`, or of the first one, when it is a batch of vectors.

    Raises:
      ValueError: when it is not; `what` says what it should hold.
    """
    outputs = {output.name: output.shape for output in self.session.get_outputs()}
    name = wanted or next(iter(outputs))
    shape = outputs.get(name)
    if shape is None or len(shape) != 2:
      raise InputError(f"{self.path}: output {name!r} is no batch of {what}; give output= one of {outputs}")
    return name


def load(
  path: str | os.PathLike,
  *,
  input_range: str | None = None,
  layout: str | None = None,
  colour: str | None = None,
  size: tuple[int, int] | None = None,
) -> ImageNetwork:
  """The network in an ONNX file.

  What is not given here comes from the file's metadata_props of the keys named below, then from the shape of its input.

  Args:
    path: the file; its one input is a batch of images.
    input_range: `input_range`; the values that the network takes, as an interval to which 0..255 is stretched
      ("0..255", "0..1", "-1..1") or a formula in 0..255 ("(x-127.5)/128"). What follows it is commentary.
    layout: `input_layout`; "NCHW" or "NHWC".
    colour: `colour`; "RGB", "BGR" or "grey".
    size: `input_shape`, such as "Nx3x112x96", in the order of the layout; here (height, width), pixels.

  Raises:
    ValueError: naming the file and the remedy: for what is no ONNX file, and for what nobody tells.
  """
  path = pathlib.Path(path)
  try:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
  except Exception as error:  # onnxruntime's own exceptions share no narrower base
    raise InputError(f"{path} cannot be opened by onnxruntime ({error}); expected an ONNX file") from error
  metadata = words(path, session)
  if len(session.get_inputs()) != 1 or len(session.get_inputs()[0].shape) != 4:
    raise InputError(f"{path} takes {[i.shape for i in session.get_inputs()]}; expected one batch of images")
  shape = session.get_inputs()[0].shape
  layout = _choice(path, "layout", layout or metadata.get("input_layout") or _layout(shape), ("NCHW", "NHWC"))
  grey = shape[1 if layout == "NCHW" else 3] == 1
  colour = "grey" if grey else _choice(path, "colour", colour or metadata.get("colour"), ("RGB", "BGR"))
  factor, offset = _range(path, input_range or metadata.get("input_range"))
  height, width = size or _size(path, layout, shape, metadata.get("input_shape", ""))
  fixed = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 0
  return ImageNetwork(path, session, metadata, (height, width), fixed, layout, colour, factor, offset)


def words(path: str | os.PathLike, session: onnxruntime.InferenceSession) -> dict[str, str]:
  """What the file that a session was made of says about itself, its metadata_props.

  Raises:
    InvalidFile: where that is no text.
  """
  try:
    return session.get_modelmeta().custom_metadata_map
  except UnicodeDecodeError as error:
    raise InvalidFile(path, f"has metadata that are no UTF-8 text (byte {error.start})", remedy=_REMEDY) from None


def answers(
  path: str | os.PathLike,
  session: onnxruntime.InferenceSession,
  outputs: Sequence[str] | None,
  inputs: Mapping[str, np.ndarray],
) -> list[np.ndarray]:
  """What a network answers; `outputs` None is all of them.

  Raises:
    InvalidFile: where it cannot be run: sizes that do not fit, or more memory than there is.
  """
  try:
    return [np.asarray(one) for one in session.run(outputs, dict(inputs))]
  except Exception as error:  # onnxruntime's own exceptions share no narrower base
    raise InvalidFile(path, f"fails when it is run ({str(error)[:300]})", remedy=_REMEDY) from error


def numbers(text: str) -> list[float]:
  """The numbers in a text, in their order."""
  return [float(number) for number in re.findall(_NUMBER, text)]


def _choice(path, name, value, allowed):
  if value not in allowed:
    raise InputError(f"{path}: {name} is {value!r}; give {name}= one of {', '.join(allowed)}")
  return value


def _layout(shape):
  found = [layout for layout, axis in (("NCHW", 1), ("NHWC", 3)) if shape[axis] in (1, 3)]
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
  raise InputError(f'{path}: input_range is {text!r}; give input_range= such as "0..1", "-1..1" or "(x-127.5)/128"')


def _size(path, layout, shape, text):
  """(height, width) from the input's shape, else from `text` such as Nx3x112x96."""
  rows, columns = (2, 3) if layout == "NCHW" else (1, 2)
  if isinstance(shape[rows], int) and isinstance(shape[columns], int):
    return shape[rows], shape[columns]
  parts = re.match(r"\w+?x(\d+)x(\d+)x(\d+)", text)
  if not parts:
    raise InputError(f"{path}: its input {shape} has no fixed height and width; give size=(height, width)")
  return int(parts[rows]), int(parts[columns])
