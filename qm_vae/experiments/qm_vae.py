"""From a config to a QM-VAE run: the generator, its views, its loss and who judges it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from qm_vae import embedders, landmarkers
from qm_vae.data.augment import Augmentation
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.deidentifiers import baseline, deidentifier
from qm_vae.experiments.parts import experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.faces import compositing, shape
from qm_vae.io import networks as network_file
from qm_vae.losses import TERMS
from qm_vae.losses import qm_vae as losses
from qm_vae.metrics import judging
from qm_vae.models import generator
from qm_vae.models.presets import PRESETS
from qm_vae.models.vqvae import STRIDE
from qm_vae.options import trait
from qm_vae.privacy import guarantees
from qm_vae.quantizers import QUANTIZERS
from qm_vae.services import SERVICES, expression
from qm_vae.training import schedule
from qm_vae.training.state import Experiment, Split
from qm_vae.training.tasks import qm_vae
from qm_vae.types import EXPRESSIONS, Deidentifier, Service

_TRACED = ("seed", "alpha", "beta", "service_weight")


class QmVaeParts(NamedTuple):
  """The pieces of a QM-VAE run by name."""

  generator: generator.Generator
  views: dict[str, Deidentifier]
  service: Service
  judges: dict[str, Service]
  baselines: dict[str, Deidentifier]  # judged beside the views, and no part of the training
  k_same: int  # people who share what a face looks like when it is given away; 0: each face has its own codes
  guarantee: dict | None  # what is promised against any attacker, ready for JSON; its form is in docs/report.md


def quantizer(config: Config):
  """(quantizer, channels of its codes) as `config.quantizer` says."""
  q = config.quantizer
  if q.name == "fsq":
    return QUANTIZERS["fsq"](levels=tuple(q.fsq.levels)), len(q.fsq.levels)
  options = dict(vars(q.vq))
  options["dead_code_threshold"] = options.pop("restart_share")
  return QUANTIZERS["vq"](code_dim=q.code_dim, **options), q.code_dim


def generator_of(config: Config, views: dict[str, Deidentifier], answers: int):
  """(generator, quantizer) that `config` describes, of those views and for a service of `answers` classes."""
  vq, code_dim = quantizer(config)
  release = config.release.mechanism
  made = generator.make(
    tuple(views.values()),
    PRESETS[settings.preset(config)],
    code_dim,
    vq,
    jnp.dtype(config.model.dtype),
    tokens=config.model.tokens,
    size=settings.image_size(config),
    condition=config.condition.answer,
    soft=config.condition.soft,
    answers=answers,
    release=None if release == "k_same" else guarantees.release(release, config.release.epsilon),
    refine=config.model.refine,
    **placing_of(config),
  )
  return made, vq


def views_params(config: Config, views: dict[str, Deidentifier]) -> tuple:
  """What the generator of `generator_of` takes as `views_params`."""
  params = tuple(view.params for view in views.values())
  return (*params, landmarkers.load(config.landmarks).params) if settings.landmarks_shape(config) else params


def placing_of(config: Config) -> dict[str, Callable | None]:
  """The keywords `find_landmarks` and `finish` of generator.make: where a face is, and how an image comes into it."""
  find = landmarkers.load(config.landmarks).apply if settings.landmarks_shape(config) else None
  light = config.composite.light

  def finish(face, image):
    landmarks = shape.by_eyes(face.eyes) if face.landmarks is None else face.landmarks
    return compositing.composite(image, face.image, landmarks, light)

  return {"find_landmarks": find, "finish": finish if config.composite.region == "face" else None}


def qm_vae_run(config: Config) -> Experiment:
  """The run that trains a QM-VAE.

  Raises:
    ValueError: where a judge is also in the loss, or a term lacks what it works with.
  """
  _check_judges(config)
  _check_terms(config)
  size = settings.image_size(config)
  data = datasets.load_faces(config.data, size, settings.cache_dir(config))
  service = SERVICES["expression"](config.service.checkpoint)
  ensemble = _like(service, config.ensemble)
  judges = {name: _judge(service, name, one.checkpoint) for name, one in config.judges.items()}
  views = {name: deidentifier(config, name, data.train) for name in config.views}
  made, vq = generator_of(config, views, len(service.classes))
  target = None if config.target.image == "original" else deidentifier(config, config.target.image, data.train)
  terms = {name: _TERMS[name](config, ensemble, size) for name in _weighed(config)}
  steps = config.epochs * (len(data.train) // config.batch_size)
  task = qm_vae.make(
    made,
    service,
    judges,
    optax.adam(schedule.make(config.schedule, config.learning_rate, steps)),
    service_loss=config.service_loss,
    augment_faces=Augmentation(**vars(config.augment_faces)),
    augment_before_service=Augmentation(**vars(config.augment_before_service)),
    asking=qm_vae.Asking(config.condition.drop, config.condition.other),
    picture=qm_vae.Picture(target, config.target.outside_face),
    terms=terms,
  )
  frozen = {
    "views": views_params(config, views),
    "service": service.params,
    "judges": {name: judge.params for name, judge in judges.items()},
    "terms": {name: term.frozen for name, term in terms.items()},
    "target": target.params if target else (),
  }
  k_same = config.release.k if config.release.mechanism == "k_same" else 0
  tokens = config.model.tokens or (size // STRIDE) ** 2
  beside = {text: baseline(config, text, data.train) for text in config.baselines if text not in views}
  guarantee = _guarantee(config, vq, tokens, len(service.classes))
  parts = QmVaeParts(made, views, service, judges, beside, k_same, guarantee)
  return experiment_of(config, task, frozen, weights_of(config), data, config, parts)


def weights_of(config: Config) -> losses.LossWeights:
  """The traced weights of the loss; a term whose weight is 0 is left out."""
  return losses.LossWeights(
    alpha=jnp.float32(config.alpha),
    beta=jnp.float32(config.beta),
    service=jnp.float32(config.service_weight),
    terms={name: jnp.float32(getattr(config.terms, name).weight) for name in _weighed(config)},
  )


def shaping(flat: Mapping[str, Any]) -> dict[str, Any]:
  """Of flat keys and their values those that shape the train step's program, to recognise runs that share it.

  The seed and the weights of the loss are arguments of the program; of a term it is only asked whether it is there.
  """
  weighs = lambda key: key.startswith("terms.") and key.endswith(".weight")
  return {key: bool(value) if weighs(key) else value for key, value in flat.items() if key not in _TRACED}


def _weighed(config):
  return [name for name in TERMS.names() if getattr(config.terms, name).weight]


def _like(service, networks):
  """The networks' services, with the classes in the order of `service`."""
  return {
    name: expression.reorder(SERVICES["expression"](one.checkpoint), service.classes) for name, one in networks.items()
  }


def _judge(service, name, checkpoint):
  """A judge of the service's classes in their order, or of the attribute Smiling alone."""
  if network_file.read_meta(checkpoint)["kind"] != "attributes":
    return expression.reorder(SERVICES["expression"](checkpoint), service.classes)
  network = SERVICES["attributes"](checkpoint)
  if judging.SMILING not in network.classes or "happy" not in service.classes:
    raise InputError(
      f"config.judges.{name}.checkpoint tells {', '.join(network.classes)}; of attributes only {judging.SMILING} "
      "judges expressions, and only those among which happy is (configs/attributes.py trains it)"
    )
  column = network.classes.index(judging.SMILING)
  apply = lambda params, image: network.apply(params, image)[..., column : column + 1]
  return Service(network.params, apply, (judging.SMILING,))


def _ensemble(config, ensemble, size):
  del size
  return TERMS["ensemble"](ensemble, config.service_loss)


def _perceptual(config, ensemble, size):
  del ensemble, size
  return TERMS["perceptual"](*expression.features(next(iter(config.ensemble.values())).checkpoint))


def _identity(config, ensemble, size):
  del ensemble, size
  return TERMS["identity"](_recognisers(config), config.terms.identity.margin)


def _parrot(config, ensemble, size):
  del ensemble
  return TERMS["parrot"](next(iter(_recognisers(config).values())), size, config.terms.parrot.renew_every)


_TERMS = {
  "ensemble": _ensemble,
  "smoothness": lambda config, ensemble, size: TERMS["smoothness"](),
  "perceptual": _perceptual,
  "discriminator": lambda config, ensemble, size: TERMS["discriminator"](
    size, config.terms.discriminator.hidden, adaptive=config.terms.discriminator.adaptive
  ),
  "identity": _identity,
  "parrot": _parrot,
}
"""Each is (config, ensemble, side of the faces) -> Term."""


def _recognisers(config):
  return {str(i): embedders.EMBEDDERS["network"](path) for i, path in enumerate(config.recognisers)}


def _guarantee(config, vq, tokens, answers):
  """What holds against any attacker (privacy/guarantees.py); None where nothing does."""
  release_config = config.release
  num_answers = answers if config.condition.answer == "class" else 1
  is_soft = config.condition.answer == "class" and config.condition.soft
  if (config.condition.answer == "probabilities" or is_soft) and release_config.mechanism != "k_same":
    return None  # a vector of reals has no number of forms
  common = {"mechanism": release_config.mechanism, "tokens": tokens, "codes": vq.num_codes, "answers": num_answers}
  if release_config.mechanism == "k_same":
    return common | {"k": release_config.k, "answers": 1}  # a group gets one answer
  if release_config.mechanism == "none":
    return common | {"bits": guarantees.bits(tokens, vq.num_codes, num_answers)}
  return common | {
    "epsilon": guarantees.composed(release_config.epsilon, tokens),
    "epsilon_per_code": release_config.epsilon,
  }


def _check_judges(config):
  """A judge that is the service, or another judge, would confirm whatever the service says."""
  seen = {}
  for name, network in settings.networks_of(config).items():
    digest = network_file.read_meta(network.checkpoint)["sha256"]
    if digest in seen:
      raise InputError(
        f"config.{name}.checkpoint is the same network as config.{seen[digest]}.checkpoint; a judge must be another "
        "one, best of another architecture and seed (configs/expression.py trains one)"
      )
    seen[digest] = name


def _check_terms(config):
  """Names the term that lacks networks to work with, and recognisers that would judge what they trained."""
  _check_needs(config)
  trained = {network_file.read_meta(path)["sha256"]: path for path in config.recognisers}
  judges = [one.sha256 for one in embedders.open_all(path for path in config.privacy.embedders if path)]
  if trained and judges and set(judges) <= set(trained):
    raise InputError(
      "every recogniser of config.privacy.embedders also trains, as one of config.recognisers "
      f"({', '.join(trained.values())}); give privacy.embedders one that does not"
    )


def _check_needs(config):
  """Names the term that lacks networks to work with."""
  for term in _weighed(config):
    key = trait(TERMS[term], "needs")
    if key and not len(getattr(config, key)):
      raise InputError(
        f"config.terms.{term}.weight is {getattr(config.terms, term).weight}, but config.{key} is empty; fill it"
      )


def check(config: Config, data: Split) -> None:
  """Returns when nothing speaks against the run but the networks that are still to be trained.

  Raises:
    ValueError: as `qm_vae_run`.
  """
  _check_needs(config)
  needs_service = lambda name: trait(DEIDENTIFIERS[name], "needs_service") and not config.service.checkpoint
  views = {name: deidentifier(config, name, data.train) for name in config.views if not needs_service(name)}
  if len(views) == len(config.views):
    generator_of(config, views, len(EXPRESSIONS))
  for text in config.baselines:
    if not needs_service(text.partition(":")[0]):
      baseline(config, text, data.train)


TASK = TaskRow(qm_vae_run, check=check)
