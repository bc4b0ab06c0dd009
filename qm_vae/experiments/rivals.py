"""From a config to the runs that train the paper's learned rivals: U-GAT-IT and AMT-GAN."""

import numpy as np
import optax

from qm_vae import embedders
from qm_vae.data.augment import Augmentation
from qm_vae.data.unpaired import Unpaired
from qm_vae.deidentifiers import _amt_gan as amt_gan_file
from qm_vae.deidentifiers import _ugatit as ugatit_file
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.parts import NetworkParts, experiment_of
from qm_vae.experiments.schema import Config
from qm_vae.experiments.tasks import TaskRow
from qm_vae.models import amt_gan as amt_gan_models
from qm_vae.models import ugatit as ugatit_models
from qm_vae.training import schedule
from qm_vae.training.state import Experiment, Split
from qm_vae.training.tasks import amt_gan, ugatit

_BETAS = {"b1": 0.5, "b2": 0.999}
"""Of Adam, in both public implementations."""


def ugatit_run(config: Config) -> Experiment:
  """The run that trains `config.ugatit` from the faces of `config.data` to the pictures of `config.target_data`.

  Raises:
    ValueError: for pictures smaller than the discriminators need.
  """
  rival, size = config.ugatit, settings.image_size(config)
  smallest = ugatit_models.smallest_side(max(rival.global_layers, rival.local_layers))
  if size < smallest:
    raise InputError(
      f"config.image_size is {size}, but a discriminator of {max(rival.global_layers, rival.local_layers)} layers "
      f"needs {smallest} pixels; lower config.ugatit.global_layers and local_layers, or use larger pictures"
    )
  data = two_kinds(config, size)
  options = {"light": rival.light, "channels": rival.channels, "blocks": rival.blocks}
  discriminators = [ugatit_models.Discriminator(n, rival.channels) for n in (rival.global_layers, rival.local_layers)]
  networks = ugatit.Networks(ugatit_models.Generator(**options), *discriminators)
  rate = schedule.make(config.schedule, config.learning_rate, config.epochs * (len(data.train) // config.batch_size))
  # Decay enters the gradient before Adam, as PyTorch's Adam has it.
  optimizer = optax.chain(optax.add_decayed_weights(rival.weight_decay), optax.adam(rate, **_BETAS))
  task = ugatit.make(
    networks, optimizer, augmentation=Augmentation(**vars(config.augment_faces)), average=rival.average
  )
  weights = ugatit.LossWeights(*(np.float32(getattr(rival.weights, name)) for name in ugatit.LossWeights._fields))
  parts = NetworkParts(ugatit_file.describe(size, **options), ugatit.export, lambda row: {"test_cycle": row["cycle"]})
  return experiment_of(config, task, (), weights, data, config, parts)


def amt_gan_run(config: Config) -> Experiment:
  """The run that trains AMT-GAN on the plain faces of `config.data` and the made-up ones of `config.target_data`.

  The first training face of either kind is special: of the plain ones it is the face to be impersonated unless
  `config.amt_gan.target` names another, of the made-up ones the network's folder keeps it as reference.

  Raises:
    ValueError: without a recogniser in the graph, or a target that is not among the training faces.
  """
  rival, size = config.amt_gan, settings.image_size(config)
  if size < amt_gan_models.SMALLEST_SIDE:
    raise InputError(f"config.image_size is {size}, but AMT-GAN needs {amt_gan_models.SMALLEST_SIDE} pixels; raise it")
  opened = embedders.open_all(rival.embedders)
  closed = [one.source for one in opened if one.embedder is None]
  if closed or not opened:
    raise InputError(
      f"config.amt_gan.embedders is {tuple(rival.embedders)}; the attack needs at least one face recogniser that it "
      "can differentiate: folders written by python -m qm_vae.convert torch-mobilefacenet or configs/embedder.py"
      + (f", not {', '.join(closed)}" if closed else "")
    )
  data = two_kinds(config, size)
  plain, made_up = data.train.first, data.train.second
  if rival.target and rival.target not in plain.name:
    raise InputError(
      f"config.amt_gan.target is {rival.target!r}, which is no training face of config.data; they are called "
      f"{', '.join(plain.name[:3])} and so on; '' takes the first"
    )
  target = plain.take([plain.name.index(rival.target) if rival.target else 0])
  rate = schedule.make(config.schedule, config.learning_rate, config.epochs * (len(data.train) // config.batch_size))
  networks = amt_gan.Networks(
    amt_gan_models.Generator(rival.channels),
    amt_gan_models.Regularizer(rival.blocks, rival.channels),
    amt_gan_models.Discriminator(channels=rival.channels),
  )
  task = amt_gan.make(
    networks,
    [one.embedder for one in opened],
    optax.adam(rate, **_BETAS),
    diversity=Augmentation(**vars(rival.diversity)),
    draws=rival.draws,
  )
  frozen = {
    "embedders": tuple(one.embedder.params for one in opened),
    "target": tuple(one.embed(target.image, target.eyes)[0] for one in opened),
  }
  weights = amt_gan.LossWeights(*(np.float32(getattr(rival.weights, name)) for name in amt_gan.LossWeights._fields))
  reference = amt_gan_file.reference_of(made_up.image[0], made_up.eyes[0])
  parts = NetworkParts(
    amt_gan_file.describe(size, channels=rival.channels) | {"target": target.name[0], "reference": made_up.name[0]},
    lambda state: amt_gan.export(state, reference),
    lambda row: {"test_like_target": row["like_target"], "test_like_target_before": row["like_target_before"]},
  )
  return experiment_of(config, task, frozen, weights, data, config, parts)


def two_kinds(config: Config, size: int) -> Split:
  """The faces of `config.data` and `config.target_data` side by side, `size` pixels a side.

  Raises:
    ValueError: without a second kind.
  """
  if not config.target_data.name:
    raise InputError(
      f"config.target_data.name is '', but task {config.task!r} learns from two kinds of pictures; name the second: "
      "--config.target_data.name=folder --config.target_data.root=FOLDER"
    )
  first, second = (datasets.load_faces(c, size, settings.cache_dir(config)) for c in (config.data, config.target_data))
  return Split(
    Unpaired(first.train, second.train),
    Unpaired(first.test, second.test),
    first.test_source,
    first.num_records + second.num_records,
    first.num_duplicates + second.num_duplicates,
  )


UGATIT = TaskRow(ugatit_run, "deid.ugatit.checkpoint=FOLDER")
AMT_GAN = TaskRow(amt_gan_run, "deid.amt_gan.checkpoint=FOLDER")
