"""A black box that is an ONNX file."""

import jax
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import onnx
from qm_vae.services.black_box import Client


def make(source: str, *, output: str = "", logits: str = "", **about_input) -> Client:
  """The classifier or regressor in an ONNX file, as a client; images are resized to its input.

  Args:
    source: path of the file; its one input is a batch of images.
    output: name of the output [B, names]; '' for the first one.
    logits: how logits become probabilities: 'softmax' (classes) or 'sigmoid' (attributes); '' where the output holds
      what the contract wants already.
    **about_input: what the file does not tell of its input, as for onnx_file.load.

  Raises:
    ValueError: naming the file and the remedy.
  """
  activations = {"": lambda x: x, "softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid}
  if logits not in activations:
    raise InputError(f"logits is {logits!r}; choose one of softmax, sigmoid, or '' where there are none")
  net = onnx.load(source, **about_input)
  name = net.output(output or None, "answers")

  @jax.jit
  def resized(image):
    return jax.image.resize(image.astype(np.float32), (len(image), *net.size, 3), "linear")

  def ask(images: np.ndarray) -> np.ndarray:
    size = net.fixed_batch or _padded(len(images))
    answers = []
    for start in range(0, len(images), size):
      part = images[start : start + size]
      padded = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
      answers.append(net.run(np.asarray(resized(padded)), name)[: len(part)])
    return np.asarray(activations[logits](np.concatenate(answers)))

  return ask


def _padded(count):
  """The next power of two, so that batches of many sizes compile few programs."""
  return 1 << (count - 1).bit_length()
