"""What is measured: a QM-VAE and its training task at a given size, with random weights and random faces."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from qm_vae.data.augment import Augmentation
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.losses import TERMS, Term
from qm_vae.losses import qm_vae as losses
from qm_vae.models import generator as generators
from qm_vae.models import vqvae
from qm_vae.models.presets import PRESETS
from qm_vae.quantizers import QUANTIZERS
from qm_vae.services import expression
from qm_vae.training.state import Task
from qm_vae.training.tasks import qm_vae
from qm_vae.types import EXPRESSIONS, Deidentifier, Face, Quantizer, Service

VIEWS = ("blindfold", "mosaic", "laplace", "cartoon")
CODE_DIM = 64
LEARNING_RATE = 1e-3
_BEFORE_SERVICE = Augmentation(shift=0.1, scale=0.2, flip=0.5, blur=1.0, contrast=0.2, brightness=0.1, noise=0.02)


class Setting(NamedTuple):
  """What a row of figures is about."""

  preset: str = "small"  # a name in `PRESETS`
  mode: str = "published"  # one of `MODES`: the paper's step, or that of configs/one_code.py
  image_size: int = 64  # side of the faces, pixels
  batch_size: int = 32  # faces
  num_codes: int = 0  # K; 0: that of the mode's config
  dtype: str = "float32"  # what the convolutions compute in


class Workload(NamedTuple):
  """The pieces of one setting by name."""

  setting: Setting
  task: Task
  generator: generators.Generator
  views: tuple[Deidentifier, ...]
  quantizer: Quantizer
  service: Service
  terms: dict[str, Term]
  before_service: Augmentation
  encoder: vqvae.Encoder
  decoder: vqvae.Decoder
  frozen: Any  # of the task's step
  weights: losses.LossWeights
  batch: dict[str, np.ndarray]  # as `data.batches` yields it


def make(setting: Setting) -> Workload:
  """The workload of that setting; weights of a trained network would be as fast.

  Raises:
    ValueError: for a side that `vqvae.STRIDE` does not divide, or no faces.
  """
  size, batch_size = setting.image_size, setting.batch_size
  if size < 1 or size % vqvae.STRIDE:
    raise InputError(f"image size {size} must be a multiple of {vqvae.STRIDE}, and at least that")
  if batch_size < 1:
    raise InputError(f"batch size {batch_size} must be at least 1")
  one_code = setting.mode == "one_code"
  views = tuple(DEIDENTIFIERS[name]() for name in VIEWS if not one_code or name != "laplace")
  quantizer = QUANTIZERS["vq"](code_dim=CODE_DIM, num_codes=setting.num_codes or (64 if one_code else 512))
  past = {"tokens": 1, "size": size, "condition": "class", "answers": len(EXPRESSIONS)} if one_code else {}
  dtype, widths = jnp.dtype(setting.dtype), PRESETS[setting.preset]
  made = generators.make(views, widths, CODE_DIM, quantizer, dtype, **past)
  service = _random_service("mini_xception")
  terms, before_service = {}, _BEFORE_SERVICE
  if one_code:
    ensemble = TERMS["ensemble"]({"other": _random_service("resnet")}, "cross_entropy")
    terms = {"ensemble": ensemble, "discriminator": TERMS["discriminator"](size, 24)}
    before_service = before_service._replace(channels=1.0, jpeg=0.3)
  task = qm_vae.make(
    made,
    service,
    {},
    optax.adam(LEARNING_RATE),
    service_loss="cross_entropy",
    augment_faces=Augmentation(flip=0.5, contrast=0.2, brightness=0.1),
    augment_before_service=before_service,
    terms=terms,
  )
  frozen = {"views": ((),) * len(views), "service": service.params, "judges": {}, "target": ()}
  frozen["terms"] = {name: term.frozen for name, term in terms.items()}
  weights = losses.LossWeights(
    jnp.float32(0.4), jnp.float32(0.25), jnp.float32(0.03), {name: jnp.float32(0.1) for name in terms}
  )
  tokens, answers = past.get("tokens", 0), past.get("answers", 0)
  return Workload(
    setting=setting,
    task=task,
    generator=made,
    views=views,
    quantizer=quantizer,
    service=service,
    terms=terms,
    before_service=before_service,
    encoder=vqvae.Encoder(widths, CODE_DIM, dtype, tokens),
    decoder=vqvae.Decoder(widths, dtype, tokens, (size // vqvae.STRIDE,) * 2, answers),
    frozen=frozen,
    weights=weights,
    batch=random_batch(size, batch_size),
  )


def random_batch(size: int, batch_size: int) -> dict[str, np.ndarray]:
  """A batch of random faces, as `data.batches` yields it."""
  random = np.random.default_rng(0)
  return {
    "image": random.integers(0, 256, (batch_size, size, size, 3), np.uint8),
    "mask": np.ones((batch_size, size, size, 1), np.uint8),
    "eyes": np.tile(np.float32([0.3, 0.4, 0.7, 0.4]) * size, (batch_size, 1)),
    "identity": np.arange(batch_size, dtype=np.int32),
    "label": np.zeros(batch_size, np.int32),
    "_mask": np.ones(batch_size, np.float32),
  }


def face_of(batch: dict[str, np.ndarray]) -> Face:
  """The batch as the device's Face."""
  image, mask = batch["image"].astype(np.float32) / 255, batch["mask"].astype(np.float32)
  return jax.device_put(Face(image, mask, batch["eyes"]))


def channels_of(load: Workload, face: Face, key: jax.Array) -> jax.Array:
  """The views of the faces side by side in the channels [B, H, W, 3 V], what the encoder sees."""
  views = jax.jit(lambda f, k: generators.make_views(load.views, load.frozen["views"], f, k))(face, key)
  return vqvae.views_to_channels(views)


def _random_service(architecture) -> Service:
  module = expression.network(expression.describe(architecture, 64, EXPRESSIONS))
  variables = jax.jit(module.init)(jax.random.key(1), jnp.zeros((1, 64, 64, 1)))
  return Service(variables, lambda params, image: module.apply(params, expression.preprocess(image, 64)), EXPRESSIONS)
