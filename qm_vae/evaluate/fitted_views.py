"""One number of each view, fitted to its row of the paper's Table 2; python -m qm_vae.evaluate.fit_views runs it."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from qm_vae.deidentifiers import spec
from qm_vae.errors import InputError
from qm_vae.experiments import datasets, schema, settings
from qm_vae.io import cache
from qm_vae.metrics import utility
from qm_vae.report import published
from qm_vae.services import SERVICES
from qm_vae.types import Deidentifier, FaceSet, Service

CANDIDATES = {
  "blindfold": ("height", tuple(round(0.6 + 0.05 * i, 2) for i in range(17))),  # from a band that covers the eyes
  "mosaic": ("block", tuple(range(2, 11))),
  "laplace": ("scale", tuple(float(scale) for scale in range(8, 29))),
  "cartoon": ("edge", tuple(round(0.12 + 0.02 * i, 2) for i in range(15))),  # more tones or ink lose a third at most
}
"""View -> the option that is fitted, and the values that are tried, mildest first."""

LITERAL = ("mosaic:block=8", "laplace:scale=1.0")
"""What the text of the paper says (Qiu et al. 2022, Sec. 5.1)."""

_BATCH = 64  # faces


def nearest(values: Sequence, rates: Sequence[float], target: float):
  """The value whose rate is nearest to `target`; of several the first.

  >>> nearest((4, 6, 8), (0.1, 0.3, 0.5), 0.39)
  6
  """
  return values[int(np.argmin(np.abs(np.asarray(rates) - target)))]


def lost(view: Deidentifier, faces: FaceSet, service: Service, truth: np.ndarray) -> np.ndarray:
  """bool [N]: whether the service answers differently on what `view` makes of each face (Eq. 8), as a file holds it.

  Args:
    view: no landmarks are given to it.
    faces: N of them.
    service: in the graph.
    truth: int [N], its answers on the originals.
  """
  changed = []
  for start in range(0, len(faces), _BATCH):
    rows = slice(start, start + _BATCH)
    made = view(faces.image[rows], seed=start, mask=faces.mask[rows], eyes=faces.eyes[rows])
    changed.append(answers(service, made) != truth[rows])
  return np.concatenate(changed)


def answers(service: Service, images: np.ndarray) -> np.ndarray:
  """int [N]: the service's answers on uint8 images [N, H, W, 3]."""
  starts = range(0, len(images), _BATCH)
  return np.concatenate([_answer(service.apply, service.params, images[start : start + _BATCH]) for start in starts])


@functools.partial(jax.jit, static_argnums=0)
def _answer(apply, params, images):
  return apply(params, images.astype(jnp.float32) / 255).argmax(-1)


def run(given: ml_collections.ConfigDict) -> None:
  """Fits and prints.

  Args:
    given: the config of a run; its data and service are used.

  Raises:
    ValueError: for a config that `schema.check` refuses, or without the network whose answers count.
  """
  schema.check(given)
  config = schema.view(given)
  if not config.service.checkpoint:
    raise InputError("config.service.checkpoint is empty; give the network whose answers count (docs/services.md)")
  cache.use(settings.cache_dir(config) / "xla")
  data = datasets.load_faces(config.data, settings.image_size(config), settings.cache_dir(config))
  service = SERVICES["expression"](config.service.checkpoint)
  sides = {"train": data.train, "test": data.test}
  truth = {name: answers(service, faces.image) for name, faces in sides.items()}

  def rate(text, side):
    made = spec.make(text, config.deid.get(text.partition(":")[0], {}))
    return utility.rate(lost(made, sides[side], service, truth[side]), sides[side])

  chosen = []
  for name, (option, values) in CANDIDATES.items():
    target, rates = published.LOSS_RATES[name], []
    for value in values:
      rates.append(rate(f"{name}:{option}={value}", "train")["value"])
      print(f"{name}:{option}={value}  train {rates[-1]:.3f}", flush=True)
    chosen.append(f"{name}:{option}={nearest(values, rates, target)}")
  for text in (*chosen, *CANDIDATES, *LITERAL):
    found = [_line(side, rate(text, side)) for side in sides]
    print(f"{text}  paper {published.LOSS_RATES[text.partition(':')[0]]:.3f}  {'  '.join(found)}", flush=True)


def _line(side, rate):
  return f"{side} {rate['value']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}] n = {rate['n']}"
