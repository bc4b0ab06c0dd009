"""An online student of black boxes: what it is, what it remembers, what it asks, and how far it may be trusted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import networks
from qm_vae.models.expression import EXPRESSION_NETWORKS
from qm_vae.services import answers, expression
from qm_vae.services.answers import Quality
from qm_vae.types import Service


class Settings(NamedTuple):
  """How a student learns; Python numbers, fixed when the step is compiled."""

  questions: int  # Q, pictures of a step's outputs asked about, at most
  explored: int  # of them, drawn blindly; they alone measure the fidelity
  doubt: float  # [0, 1), a further picture is asked about where the student doubts more than this
  delay: int  # D >= 1, steps until the answers are awaited
  warmup: int  # steps in which the student learns and the generator does not yet hear of the services
  replay: int  # pictures remembered, at least Q
  rehearsed: int  # of them, pictures of a step's training batch
  decay: float  # [0, 1), of the sums behind the fidelity, for every blindly drawn answer that arrives


class Student(NamedTuple):
  """One network for all services, as two pure functions; what it gives is raw (see qualities)."""

  init: Any  # key -> variables
  apply: Any  # (params, statistics, image [B, H, W, 3] in [0, 1], train, key) -> (raw [B, width], statistics)


def student(qualities: Mapping[str, Quality], architecture: str, input_size: int, start: str = "") -> Student:
  """The student of the services in `qualities`, whose columns stand side by side in that order.

  Args:
    qualities: name -> quality.
    architecture: a name in EXPRESSION_NETWORKS; it sees colours here.
    input_size: pixels a side that it sees.
    start: folder of an expression network of this architecture whose weights it begins with, see `coloured`; "": drawn.

  Raises:
    ValueError: when `start` holds another network.
  """
  module = EXPRESSION_NETWORKS[architecture](num_classes=sum(one.width for one in qualities.values()))
  begun = coloured(start, architecture, qualities) if start else None

  def see(image):
    small = jax.image.resize(image, (*image.shape[:-3], input_size, input_size, 3), "linear")
    return small * 2 - 1

  def init(key):
    drawn = module.init(key, jnp.zeros((1, input_size, input_size, 3)))
    if begun is None:
      return drawn
    last = drawn["params"]["logits"] if begun["params"]["logits"] is None else begun["params"]["logits"]
    return jax.tree.map(jnp.asarray, begun | {"params": begun["params"] | {"logits": last}})

  def apply(params, statistics, image, train, key):
    variables = {"params": params, "batch_stats": statistics}
    if not train:
      return module.apply(variables, see(image)), statistics
    raw, changed = module.apply(variables, see(image), train=True, mutable=["batch_stats"], rngs={"dropout": key})
    return raw, changed["batch_stats"]

  return Student(init, apply)


def as_service(student: Student, qualities: Mapping[str, Quality], params: Any, statistics: Any) -> Service | None:
  """What the student takes the first service that tells classes to answer, as a service in the graph; asks nobody.

  Args:
    student: of these qualities.
    qualities: name -> quality.
    params: the student's weights.
    statistics: the student's, as `Student.apply` takes them.

  Returns:
    None where no service tells classes.
  """
  name = next((name for name, one in qualities.items() if one.kind == "classes"), None)
  if name is None:
    return None

  def apply(variables, image):
    batch = image.reshape(-1, *image.shape[-3:])
    raw, _ = student.apply(variables["params"], variables["statistics"], batch, False, None)
    return by_service(qualities, raw)[name].reshape(*image.shape[:-3], -1)

  return Service({"params": params, "statistics": statistics}, apply, qualities[name].names)


def coloured(directory: str, architecture: str, qualities: Mapping[str, Quality]) -> dict[str, Any]:
  """The weights of an expression network, which sees grey, for a student, which sees colours.

  Its first layer adds the colours up as `expression.preprocess` makes them grey, so that the student answers as the
  network does. The last layer is kept where the one service tells the network's classes, in whatever order.

  Args:
    directory: written by `python -m qm_vae.convert` or by configs/expression.py.
    architecture: what it must be.
    qualities: name -> quality.

  Returns:
    {"params", "batch_stats"}, NumPy arrays; `params["logits"]` is None where the last layer does not fit.

  Raises:
    ValueError: when it is another kind of network or of another architecture.
  """
  meta, variables = networks.load(directory)
  networks.check_kind(directory, meta, "expression")
  if (meta["architecture"], meta["options"]) != (architecture, {}):
    raise InputError(
      f"{directory} holds a {meta['architecture']} with the options {meta['options']}; a student that starts from it "
      f"must be of the same architecture and is a {architecture}"
    )
  params = dict(variables["params"])
  first = next(name for name in ("stage_1", "conv_1") if name in params)
  params[first] = jax.tree.map(_see_colours, params[first])
  names = [one.names for one in qualities.values()]
  if len(names) == 1 and set(names[0]) == set(meta["classes"]) and next(iter(qualities.values())).kind == "classes":
    order = [meta["classes"].index(name) for name in names[0]]
    params["logits"] = jax.tree.map(lambda array: array[..., order], params["logits"])
  else:
    params["logits"] = None
  return variables | {"params": params}


def _see_colours(kernel):
  """[..., n, C], n pixels of one value each, to [..., 3 n, C] that takes the grey of their colours."""
  luma = np.tile(np.asarray(expression.LUMA, np.float32), kernel.shape[-2])
  return np.repeat(kernel, 3, axis=-2) * luma[:, None]


def by_service(qualities: Mapping[str, Quality], columns: jax.Array) -> dict[str, jax.Array]:
  """{name: its columns} of [..., sum of widths]."""
  parts, start = {}, 0
  for name, quality in qualities.items():
    parts[name] = columns[..., start : start + quality.width]
    start += quality.width
  return parts


def choose(doubt: jax.Array, key: jax.Array, settings: Settings) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Which of a batch's pictures are asked about.

  Args:
    doubt: [B] in [0, 1].
    key: the randomness of the blind draw.
    settings: see Settings; Q <= B.

  Returns:
    (rows int32 [Q], asked bool [Q], explored bool [Q]): first those drawn blindly, then the most doubtful others, of
    which only those beyond `settings.doubt` are asked.
  """
  order = jax.random.permutation(key, len(doubt))
  blind, others = order[: settings.explored], order[settings.explored :]
  lead, chosen = jax.lax.top_k(doubt[others], settings.questions - settings.explored)
  rows = jnp.concatenate([blind, others[chosen]]).astype(jnp.int32)
  explored = jnp.arange(settings.questions) < settings.explored
  return rows, jnp.concatenate([jnp.ones(settings.explored, bool), lead > settings.doubt]), explored


def empty_memory(image_shape: tuple[int, ...], width: int, settings: Settings) -> dict[str, jax.Array]:
  """What a student carries besides its network: replay, questions under way, and what was seen of its fidelity."""
  s = settings
  return {
    "image": jnp.zeros((s.replay, *image_shape), jnp.uint8),
    "target": jnp.zeros((s.replay, width)),
    "count": jnp.zeros((), jnp.int32),  # pictures ever remembered
    "asked_image": jnp.zeros((s.delay, s.questions, *image_shape), jnp.uint8),
    "asked_raw": jnp.zeros((s.delay, s.questions, width)),  # what the student said when it asked
    "asked": jnp.zeros((s.delay, s.questions), bool),
    "explored": jnp.zeros((s.delay, s.questions), bool),
  }


def remember(memory: dict[str, jax.Array], slot, target: jax.Array, answered: jax.Array) -> dict[str, jax.Array]:
  """The memory after the answers to the questions in `slot` arrived; the oldest pictures give way.

  Args:
    memory: of `empty_memory`.
    slot: int scalar in [0, D).
    target: [Q, width].
    answered: bool [Q]; the others are forgotten.
  """
  size = len(memory["image"])
  number = jnp.cumsum(answered) - 1
  # A row beyond the end is dropped by the scatter.
  row = jnp.where(answered, (memory["count"] + number) % size, size)
  return memory | {
    "image": memory["image"].at[row].set(memory["asked_image"][slot], mode="drop"),
    "target": memory["target"].at[row].set(target, mode="drop"),
    "count": memory["count"] + jnp.sum(answered, dtype=jnp.int32),
  }


def recall(memory: dict[str, jax.Array], key: jax.Array, settings: Settings) -> tuple[jax.Array, jax.Array, jax.Array]:
  """A training batch from the memory: (image uint8 [n, H, W, 3], target [n, width], known float32 [n]).

  The newest Q pictures come along always; the rest is drawn evenly from all. `known` is 0 where nothing is remembered.
  """
  size, count = len(memory["image"]), memory["count"]
  there = jnp.minimum(count, size)
  newest = (count - 1 - jnp.arange(settings.questions)) % size
  drawn = jax.random.randint(key, (settings.rehearsed - settings.questions,), 0, jnp.maximum(there, 1))
  rows = jnp.concatenate([newest, drawn])
  return memory["image"][rows], memory["target"][rows], (rows < there).astype(jnp.float32)


def unmeasured(qualities: Mapping[str, Quality]) -> dict[str, dict[str, jax.Array]]:
  """The fidelity to each service, of which nothing is known yet; every leaf an array of its own, to be given away."""
  return {name: {"agreed": jnp.zeros(()), "n": jnp.zeros(())} for name in qualities}


def measured(qualities, fidelity, raw, target, weight, decay):
  """The fidelity after further answers.

  Args:
    qualities: name -> quality.
    fidelity: of `unmeasured` or of the last call.
    raw: [Q, width], what the student said before it knew.
    target: [Q, width], what the services said.
    weight: float32 [Q], 1 for answers to blindly drawn questions, else 0.
    decay: [0, 1), of the sums, for each answer.
  """
  wanted, said = by_service(qualities, target), by_service(qualities, raw)
  n = jnp.sum(weight)
  kept = jnp.power(decay, n)
  result = {}
  for name, quality in qualities.items():
    agrees = 1 - answers.lost(quality, wanted[name], answers.decide(quality, said[name]))
    result[name] = {
      "agreed": kept * fidelity[name]["agreed"] + jnp.sum(jnp.where(weight > 0, agrees, 0.0)),
      "n": kept * fidelity[name]["n"] + n,
    }
  return result


def trust(one: dict[str, jax.Array]) -> jax.Array:
  """How far a student may be followed, float32 in [0, 1]: its agreement with the service on pictures new to it.

  0 while nothing is known. It is not corrected for chance: young outputs often get one answer all alike, a student that
  has learnt so agrees by chance alone, and is right to say that they must change.
  """
  return one["agreed"] / jnp.maximum(one["n"], 1.0)
