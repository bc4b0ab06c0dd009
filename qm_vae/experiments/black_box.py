"""From a config to the parts of a run against black boxes."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import optax

from qm_vae.data.augment import Augmentation
from qm_vae.errors import InputError
from qm_vae.experiments import black_box_services, datasets, qm_vae, settings
from qm_vae.experiments.deidentifiers import deidentifier
from qm_vae.experiments.parts import experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.io import networks as network_file
from qm_vae.losses import qm_vae as losses
from qm_vae.models import generator
from qm_vae.models.presets import PRESETS
from qm_vae.services import SERVICES, answers, distil, expression
from qm_vae.services.black_box import BlackBox
from qm_vae.training import schedule
from qm_vae.training.state import Experiment, Split
from qm_vae.training.tasks import asking, black_box
from qm_vae.types import Deidentifier, Service


class BlackBoxParts(NamedTuple):
  """The pieces of a black-box run by name."""

  generator: generator.Generator
  views: dict[str, Deidentifier]
  qualities: dict[str, answers.Quality]
  open: Callable[[pathlib.Path], dict[str, BlackBox]]  # from the run's folder; nothing is asked by it
  judges: dict[str, Service]  # of those services that tell their classes
  networks: dict[str, str]  # SHA-256 of what is known of the services, and of the judges
  student: distil.Student


def black_box_run(config: Config) -> Experiment:
  """The run that trains a QM-VAE against services outside the graph.

  Raises:
    ValueError: for settings that do not fit each other, or a service that cannot be opened.
  """
  qualities = {name: black_box_services.quality(config, name) for name in config.qualities}
  for name in qualities:
    black_box_services.client(config, name)  # what cannot be asked is refused before hours of work
  _check_left_out(config)
  learning = _learning(config)
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  views = {name: deidentifier(config, name, data.train) for name in config.views}
  vq, code_dim = qm_vae.quantizer(config)
  preset, dtype = PRESETS[settings.preset(config)], jnp.dtype(config.model.dtype)
  size = settings.image_size(config)
  made = generator.make(
    tuple(views.values()),
    preset,
    code_dim,
    vq,
    dtype,
    tokens=config.model.tokens,
    size=size,
    refine=config.model.refine,
    **qm_vae.placing_of(config),
  )
  steps = config.epochs * (len(data.train) // config.batch_size)
  own, about = config.black_box, tuple(qualities.values())
  augment_faces, augment_before = (
    Augmentation(**vars(one)) for one in (config.augment_faces, config.augment_before_service)
  )
  if any(one.kind == "values" for one in about):
    # Where something is moves with the picture; the answer on the original would no longer be the one to keep.
    augment_faces = augment_faces._replace(flip=0.0)
    augment_before = augment_before._replace(shift=0.0, scale=0.0, flip=0.0)
  open_all = functools.partial(black_box_services.open_boxes, config)

  def host(workdir):
    return asking.Host(
      open_all(workdir),
      delay=learning.delay,
      questions=learning.questions,
      batch_size=config.batch_size,
      mirrored=augment_faces.flip > 0,
      reserve=reserve(len(data.test)),
      shuffle=own.shuffle_answers,
    )

  student = distil.student(qualities, own.architecture, own.input_size, own.start)
  task = black_box.make(
    made,
    qualities,
    student,
    {
      "generator": optax.adam(schedule.make(config.schedule, config.learning_rate, steps)),
      "student": optax.adamw(own.learning_rate, weight_decay=own.weight_decay),
    },
    host,
    learning,
    service_loss=config.service_loss,
    augment_faces=augment_faces,
    augment_before_service=augment_before,
  )
  weights = black_box.LossWeights(
    loss=losses.LossWeights(
      alpha=jnp.float32(config.alpha), beta=jnp.float32(config.beta), service=jnp.float32(config.service_weight)
    ),
    services={name: jnp.float32(config.quality[name].weight) for name in qualities},
    structure=jnp.float32(own.structure_weight),
  )
  judges, networks = _judges(config, qualities, black_box_services.digests(config) | _start(config))
  frozen = {"views": qm_vae.views_params(config, views)}
  parts = BlackBoxParts(made, views, qualities, open_all, judges, networks, student)
  return experiment_of(config, task, frozen, weights, data, config, parts)


def reserve(faces: int) -> int:
  """Images that training leaves of every budget for what a report cannot do without.

  Original and output of every test face, and the picture that stands for all, the control that must lose.
  """
  return 2 * faces + 1


def _check_left_out(config):
  """Names what only the task qm_vae does, so that nobody takes it for done here."""
  asked = {
    "condition.answer": config.condition.answer != "none",
    "target.image": config.target.image != "original" or config.target.outside_face,
    "release.mechanism": config.release.mechanism != "none",
    "baselines": len(config.baselines) > 0,
  } | {f"terms.{name}.weight": one.weight > 0 for name, one in vars(config.terms).items()}
  wrong = [f"config.{key}" for key, one in asked.items() if one]
  if wrong:
    raise InputError(f"{', '.join(wrong)}: the task black_box does not do this; leave it at its default")


def _learning(config):
  own = config.black_box
  if not own.explored <= own.questions <= min(config.batch_size, own.rehearsed, own.replay):
    raise InputError(
      f"config.black_box: explored ({own.explored}) <= questions ({own.questions}) <= batch_size "
      f"({config.batch_size}), rehearsed ({own.rehearsed}) and replay ({own.replay}) must hold"
    )
  return distil.Settings(
    questions=own.questions,
    explored=own.explored,
    doubt=own.doubt,
    delay=own.delay,
    warmup=own.warmup,
    replay=own.replay,
    rehearsed=own.rehearsed,
    decay=own.decay,
  )


def _start(config):
  path = config.black_box.start
  return {"start of the student": network_file.read_meta(path)["sha256"]} if path else {}


def _judges(config, qualities, networks):
  """The judges by name, and `networks` with theirs."""
  name = black_box_services.judged(config)
  if name is None:
    return {}, networks
  judges, known = {}, set(networks.values())
  for judge, network in config.judges.items():
    digest = network_file.read_meta(network.checkpoint)["sha256"]
    networks = networks | {f"judges.{judge}": digest}
    if digest in known:
      raise InputError(
        f"config.judges.{judge}.checkpoint is the network of a service that is asked, or the one that the "
        "student starts from; a judge must be another one"
      )
    judges[judge] = expression.reorder(SERVICES["expression"](network.checkpoint), qualities[name].names)
  return judges, networks


def check(config: Config, data: Split) -> None:
  """Returns when nothing speaks against the run but the networks that are still to be trained.

  Raises:
    ValueError: as `black_box_run`.
  """
  del data
  _check_left_out(config)
  _learning(config)
  missing = black_box_services.offered(config)
  for name in config.qualities:
    black_box_services.quality(config, name)
    if name not in missing:
      black_box_services.client(config, name)


TASK = TaskRow(black_box_run, check=check)
