"""What a trained generator and its rivals make of faces, and what the services answer on it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.data.batches import batches, to_face
from qm_vae.experiments.qm_vae import QmVaeParts
from qm_vae.metrics import judging
from qm_vae.models.generator import condition_of, make_views
from qm_vae.privacy import guarantees
from qm_vae.training.state import Experiment, State
from qm_vae.types import UNKNOWN, Deidentifier, FaceSet


class Outputs(NamedTuple):
  """Every method's images of some faces, on the host."""

  images: dict[str, np.ndarray]  # method -> uint8 [N, S, S, 3], as a file would hold it
  views: np.ndarray  # uint8 [N, V, S, S, 3]
  codes: np.ndarray  # int32 [N, h, w], of qm_vae
  code_counts: np.ndarray  # [K]


def make(
  experiment: Experiment,
  state: State,
  controls: dict[str, Deidentifier],
  faces: FaceSet,
  closed_sets: np.ndarray | None = None,
) -> Outputs:
  """Runs every method over `faces`.

  Args:
    experiment: of the task `qm_vae`.
    state: a trained state.
    controls: further de-identifiers to judge beside the views, by name; they come first in `Outputs.images`.
    faces: N faces of the size that the generator was trained for.
    closed_sets: int [N], of interest to k-same alone: who is grouped with whom. People of one number are; None: all.

  Raises:
    ValueError: where k-same has fewer than k people in a set.
  """
  parts, frozen = experiment.parts, experiment.frozen
  generator, views, k = parts.generator, parts.views, parts.k_same

  @jax.jit
  def methods(state, frozen, control_params, batch, key):
    face = to_face(batch)
    logits = parts.service.apply(frozen["service"], face.image)
    made = generator.apply(
      state.params, state.model_state, frozen["views"], face, key, train=False, mask=batch["_mask"],
      answer=condition_of(generator.condition_in_use, logits),
    )  # fmt: skip
    baselines = make_views(tuple(controls.values()), control_params, face, key)
    as_files = [as_file(x) for x in (made.image, made.views, baselines)]
    rows = [*as_files, made.quantized.ids]
    if k:  # the encodings of all faces come first, then their groups
      rows += [generator.encode(state.params, frozen["views"], face, key)[0], jnp.argmax(logits, -1)]
    return rows, made.quantized.counts

  key = jax.random.key(experiment.seed)
  control_params = jax.device_put([control.params for control in controls.values()])
  rows, counts = [], 0
  for number, batch in enumerate(batches(faces, np.arange(len(faces)), experiment.batch_size, pad=True)):
    row, used = jax.device_get(methods(state, frozen, control_params, batch, jax.random.fold_in(key, number)))
    rows.append(row)
    counts += used
  image, view, baseline, codes, *rest = (np.concatenate(column)[: len(faces)] for column in zip(*rows, strict=True))
  if k:
    image, codes = _k_same(experiment, state, faces, *rest, closed_sets)
  result = {name: baseline[:, i] for i, name in enumerate(controls)}
  result |= {name: view[:, i] for i, name in enumerate(views)}
  return Outputs(result | {"qm_vae": image}, view, codes, counts)


def as_file(image):
  """uint8 of images in [0, 1], as a file would hold them."""
  return jnp.rint(image * 255).astype(jnp.uint8)


def _k_same(experiment, state, faces, z_e, answer, closed_sets):
  """(images, codes) where all pictures of a group of people are the same one; see guarantees.k_same_groups."""
  generator, k = experiment.parts.generator, experiment.parts.k_same
  # Each face of nobody known is a person of its own.
  whose = np.where(faces.identity == UNKNOWN, -2 - np.arange(len(faces)), faces.identity)
  closed_sets = np.zeros(len(faces), np.int64) if closed_sets is None else closed_sets
  group, num_groups = np.zeros(len(faces), np.int64), 0
  num_answers = len(experiment.parts.service.classes)
  for number in np.unique(closed_sets):
    rows = np.flatnonzero(closed_sets == number)
    people, person = np.unique(whose[rows], return_inverse=True)
    features = _mean_of(person, z_e[rows].reshape(len(rows), -1), len(people))
    usual = np.argmax(_mean_of(person, np.eye(num_answers)[answer[rows]], len(people)), 1)
    of_person = guarantees.k_same_groups(features, k, usual if generator.condition != "none" else None)
    group[rows] = num_groups + of_person[person]
    num_groups += of_person.max() + 1
  means = _mean_of(group, z_e.reshape(len(faces), -1), num_groups).reshape(num_groups, *z_e.shape[1:])
  votes = _mean_of(group, np.eye(num_answers)[answer], num_groups)

  @jax.jit
  def decode(state, z_e, answer):
    ids = generator.quantize(state.params, state.model_state, z_e)
    asked = condition_of(generator.condition, 50.0 * jax.nn.one_hot(answer, num_answers))
    return as_file(generator.decode(state.params, state.model_state, ids, asked)), ids

  made, size = [], experiment.batch_size
  for start in range(0, num_groups, size):
    some = np.minimum(np.arange(start, start + size), num_groups - 1)  # always a full batch: one compilation
    made.append(jax.device_get(decode(state, means[some].astype(np.float32), votes[some].argmax(1))))
  image, ids = (np.concatenate(column)[:num_groups] for column in zip(*made, strict=True))
  return image[group], ids[group]


def _mean_of(number, values, count):
  """[count, D] the mean of the rows of each number."""
  total = np.zeros((count, values.shape[1]))
  np.add.at(total, number, values)
  return total / np.bincount(number, minlength=count)[:, None]


def asked(experiment: Experiment, state: State, faces: FaceSet, answer: "Answers") -> dict:
  """What services read where each class in turn is asked of every face, whatever it shows.

  Returns:
    {"rows": [{"expression", "n", "read": {service or judge: share of outputs read as asked}}]}, ready for JSON.
  """
  classes = experiment.parts.service.classes
  generator, frozen = experiment.parts.generator, experiment.frozen

  @jax.jit
  def make_one(state, frozen, batch, key, wanted):
    face = to_face(batch)
    told_all = jnp.tile(jax.nn.one_hot(wanted, len(classes)), (len(face.image), 1))
    return as_file(
      generator.apply(
        state.params, state.model_state, frozen["views"], face, key, train=False, mask=batch["_mask"], answer=told_all
      ).image
    )

  key, rows = jax.random.key(experiment.seed), []
  for wanted, name in enumerate(classes):
    images = [
      jax.device_get(make_one(state, frozen, batch, jax.random.fold_in(key, number), wanted))
      for number, batch in enumerate(batches(faces, np.arange(len(faces)), experiment.batch_size, pad=True))
    ]
    verdicts = answer(np.concatenate(images)[: len(faces)])
    read = {
      who: float(np.mean(~judging.differs(logits, np.full(len(faces), wanted), classes)))
      for who, logits in verdicts.items()
    }
    rows.append({"expression": name, "n": len(faces), "read": read})
  return {"rows": rows}


class Answers:
  """Logits of the service and of every judge for uint8 images [N, S, S, 3], batch by batch."""

  def __init__(self, parts: QmVaeParts, frozen, batch_size=64):
    services = {"service": (parts.service, frozen["service"])}
    services |= {name: (judge, frozen["judges"][name]) for name, judge in parts.judges.items()}
    self._params = {name: params for name, (_, params) in services.items()}
    self._batch_size = batch_size
    self._num_classes = len(parts.service.classes)

    @jax.jit
    def answer(params, image):
      image = image.astype(jnp.float32) / 255
      return {name: service.apply(params[name], image) for name, (service, _) in services.items()}

    self._answer = answer

  def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
    """{"service" or judge: logits float32 [N, C]} for uint8 [N, S, S, 3]; [N, 1] of a judge of smiles."""
    if not len(image):
      return {name: np.zeros((0, self._num_classes), np.float32) for name in self._params}
    rows = []
    for start in range(0, len(image), self._batch_size):
      chunk = image[start : start + self._batch_size]
      padded = np.concatenate([chunk, np.repeat(chunk[:1], self._batch_size - len(chunk), axis=0)])
      rows.append({k: v[: len(chunk)] for k, v in jax.device_get(self._answer(self._params, padded)).items()})
    return {name: np.concatenate([row[name] for row in rows]) for name in self._params}
