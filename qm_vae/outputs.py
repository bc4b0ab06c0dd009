"""What a trained generator and its rivals make of faces, and what the services answer on it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.build import QmVaeParts
from qm_vae.data.batches import batches, to_face
from qm_vae.generator import make_views
from qm_vae.state import Experiment, State
from qm_vae.types import Deidentifier, FaceSet


class Outputs(NamedTuple):
  """Every method's images of some faces, on the host."""

  images: dict[str, np.ndarray]  # method -> uint8 [N, S, S, 3], as a file would hold it
  views: np.ndarray  # uint8 [N, V, S, S, 3]
  codes: np.ndarray  # int32 [N, h, w], of qm_vae
  code_counts: np.ndarray  # [K]


def make(experiment: Experiment, state: State, controls: dict[str, Deidentifier], faces: FaceSet) -> Outputs:
  """Runs every method over `faces`.

  Args:
    experiment: of the task `qm_vae`.
    state: a trained state.
    controls: further de-identifiers to judge beside the views, by name; they come first in `Outputs.images`.
    faces: N faces of the size that the generator was trained for.
  """
  generator, views, frozen = experiment.parts.generator, experiment.parts.views, experiment.frozen

  @jax.jit
  def methods(state, frozen, batch, key):
    face = to_face(batch)
    made = generator.apply(state.params, state.carried, frozen["views"], face, key, train=False, mask=batch["_mask"])
    baselines = make_views(tuple(controls.values()), [c.params for c in controls.values()], face, key)
    as_files = [jnp.rint(x * 255).astype(jnp.uint8) for x in (made.image, made.views, baselines)]
    return *as_files, made.quantized.ids, made.quantized.counts

  key = jax.random.key(experiment.seed)
  rows = []
  for number, batch in enumerate(batches(faces, np.arange(len(faces)), experiment.batch_size, pad=True)):
    rows.append(jax.device_get(methods(state, frozen, batch, jax.random.fold_in(key, number))))
  image, view, baseline, codes = (np.concatenate([row[i] for row in rows])[: len(faces)] for i in range(4))
  result = {name: baseline[:, i] for i, name in enumerate(controls)}
  result |= {name: view[:, i] for i, name in enumerate(views)}
  return Outputs(result | {"qm_vae": image}, view, codes, sum(row[4] for row in rows))


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
    """{"service" or judge: logits float32 [N, C]} for uint8 [N, S, S, 3]."""
    if not len(image):
      return {name: np.zeros((0, self._num_classes), np.float32) for name in self._params}
    rows = []
    for start in range(0, len(image), self._batch_size):
      chunk = image[start : start + self._batch_size]
      padded = np.concatenate([chunk, np.repeat(chunk[:1], self._batch_size - len(chunk), axis=0)])
      rows.append({k: v[: len(chunk)] for k, v in jax.device_get(self._answer(self._params, padded)).items()})
    return {name: np.concatenate([row[name] for row in rows]) for name in self._params}
