"""From a config to the run that trains a landmark network."""

import dataclasses

import numpy as np
import optax

from qm_vae import landmarkers
from qm_vae.data.augment import Augmentation
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.parts import NetworkParts, experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.training import schedule
from qm_vae.training.state import Experiment
from qm_vae.training.tasks import landmarks
from qm_vae.types import FaceSet

_ARCHITECTURE, _INPUT = "dense_68", 112


def landmarks_run(config: Config) -> Experiment:
  """The run that trains a landmark network with the lengths and rates of `config.service`.

  Raises:
    ValueError: for data whose 68 landmarks nobody knows.
  """
  network = config.service
  if config.data.split == "published":
    raise InputError("config.data.split is 'published'; for landmarks choose identity or order")
  source = datasets.dataset(config.data)
  known = getattr(source, "landmarks_68", None)
  if known is None:
    raise InputError(
      f"dataset {config.data.name!r} has no 68 landmarks to learn from; train on synthetic (the drawn faces know "
      "theirs), or convert a public network: python -m qm_vae.convert faceapi-landmarks"
    )
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  train, test = (_with_landmarks(found, known) for found in (data.train, data.test))
  steps = network.epochs * (len(train) // network.batch_size)
  rate = schedule.make("cosine", network.learning_rate, steps, warmup=steps // 20)
  meta = landmarkers.describe(_ARCHITECTURE, _INPUT, source=f"trained by qm_vae on {config.data.name}")
  task = landmarks.make(
    meta,
    optax.adamw(rate, weight_decay=network.weight_decay),
    augmentation=Augmentation(**vars(network.augment)),
    mean_shape=train.landmarks.mean(0) / train.image.shape[1],
  )
  parts = NetworkParts(meta, landmarks.export, lambda row: {"test_landmark_error": row["landmark_error"]})
  return experiment_of(config, task, (), (), data._replace(train=train, test=test), network, parts)


def _with_landmarks(found, known):
  """The faces with their landmarks, in pixels of the crop."""
  frame = np.stack([known(index) for index in found.index])
  scale = found.image.shape[1] / found.box[:, None, 2:]
  return Placed(**vars(found), landmarks=((frame - found.box[:, None, :2]) * scale).astype(np.float32))


@dataclasses.dataclass(frozen=True)
class Placed(FaceSet):
  """Faces with their landmarks, for training alone: a part of them is taken without."""

  landmarks: np.ndarray = None  # float32 [N, 68, 2], pixels of the crop

  def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The faces' columns and `landmarks`."""
    return super().batch(positions) | {"landmarks": self.landmarks[positions]}


TASK = TaskRow(landmarks_run, "landmarks=FOLDER", "service.")
