"""Keys of services outside the graph, and of the student that learns their answers."""

import dataclasses
from typing import Any

from qm_vae.experiments.schema.fields import group, key
from qm_vae.experiments.schema.rules import DECAY, NAMES, TOLERANCES
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.options import FLAG, NOT_NEGATIVE, POSITIVE, TEXT, integer, one_of
from qm_vae.services.answers import KINDS
from qm_vae.services.black_box import CLIENTS
from qm_vae.types import EXPRESSIONS


@dataclasses.dataclass
class Onnx:
  """Options of an ONNX file; '' where the file says so itself."""

  output: str = key("", TEXT, "name of the output; '': the first")
  logits: str = key("", one_of("", "softmax", "sigmoid"), "how logits become probabilities; '': they are some")
  input_range: str = key("", TEXT, '"0..1", "-1..1" or "(x-127.5)/128"')
  layout: str = key("", one_of("", "NCHW", "NHWC"), "")
  colour: str = key("", one_of("", "RGB", "BGR"), "")


@dataclasses.dataclass
class Http:
  """Options of an HTTP service."""

  allow_sending_faces: bool = key(False, FLAG, "whether faces may be sent to the address")
  timeout: float = key(10.0, POSITIVE, "seconds")
  token_variable: str = key("", TEXT, "environment variable that holds the Authorization header")


@dataclasses.dataclass
class Quality:
  """A service whose answers must stay, and how it is asked."""

  client: str = key("callable", one_of(*CLIENTS.names()), "")
  source: str = key("", TEXT, "callable: module:function; onnx: path of the file; http: address of the service")
  checkpoint: str = key(
    "", TEXT, "callable: folder of a network, passed as checkpoint=; '': none, or for expressions that of `service`"
  )
  kind: str = key("classes", one_of(*KINDS), "classes: one of them; attributes: each yes or no; values: numbers")
  names: tuple[str, ...] = key((), NAMES, "of the classes, attributes or values, in the order of the answers")
  tolerance: tuple[float, ...] = key((), TOLERANCES, "values: how far each may move and count as kept, its own unit")
  weight: float = key(1.0, NOT_NEGATIVE, "of this service among all")
  batch_size: int = key(32, integer(1), "images at a time")
  concurrency: int = key(1, integer(1), "batches at the same time")
  retries: int = key(5, integer(0), "of a batch, after the first try")
  backoff: float = key(0.5, NOT_NEGATIVE, "seconds before the first retry, doubled for each further one")
  budget: int = key(0, integer(0), "images that a run may send in all, retries included; 0: no limit")
  onnx: Onnx = group(Onnx)
  http: Http = group(Http)


_OFFERED = "qm_vae.services.offered:probabilities"  # a network of this project, queried as a service outside the graph


def default_qualities() -> dict[str, Any]:
  """The services that a config knows without further words."""
  eyes = ("left x", "left y", "right x", "right y")
  return {
    "expression": Quality(names=EXPRESSIONS, source=_OFFERED),
    "smile": Quality(kind="attributes", names=("Smiling",), source=_OFFERED),
    # Whether a face is still found, and where: shares of the picture's side.
    "face": Quality(
      kind="values",
      names=("x", "y", "side"),
      tolerance=(0.1, 0.1, 0.15),
      source="qm_vae.services.detection:largest_face",
    ),
    "eyes": Quality(kind="values", names=eyes, tolerance=(0.04,) * 4, source="qm_vae.services.detection:eyes"),
  }


@dataclasses.dataclass
class BlackBox:
  """The student that stands in for services outside the graph (docs/black_boxes.md)."""

  architecture: str = key("resnet", one_of(*EXPRESSION_NETWORKS.names()), "of the student")
  input_size: int = key(48, integer(16), "pixels that the student sees")
  start: str = key("", TEXT, "folder of an expression network that the student starts from; '': random weights")
  learning_rate: float = key(2e-3, POSITIVE, "of the student")
  weight_decay: float = key(1e-4, NOT_NEGATIVE, "")
  questions: int = key(16, integer(1), "outputs of a step that the services are queried with, at most")
  explored: int = key(4, integer(1), "of them drawn at random; the fidelity is measured on these")
  doubt: float = key(0.1, DECAY, "the others are queried where the student is less sure than this")
  delay: int = key(2, integer(1), "steps before the answers to a step's queries are awaited")
  warmup: int = key(50, integer(0), "steps in which only the student learns from the services")
  replay: int = key(2048, integer(1), "pictures that the student remembers")
  rehearsed: int = key(64, integer(1), "of them, pictures of one step's training batch")
  decay: float = key(0.99, DECAY, "of the measured fidelity, for every random query")
  structure_weight: float = key(0.0, NOT_NEGATIVE, "of 1 - SSIM beside the services")
  shuffle_answers: bool = key(False, FLAG, "a control: every training face gets the answer on another")
