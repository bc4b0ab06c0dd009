"""Impersonation by a finished run of AMT-GAN, measured; qm_vae/impersonation.py says what is counted."""

import json
import math
import os
import pathlib

import jax
import numpy as np
from tqdm import tqdm

from qm_vae import embedders, types
from qm_vae.data.batches import batches, to_face
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.errors import InputError
from qm_vae.evaluate.outputs import as_file
from qm_vae.experiments import assemble, config_file, provenance, schema
from qm_vae.io import networks
from qm_vae.metrics import intervals
from qm_vae.models.generator import make_views

BATCH = 32
_ROWS = 256  # faces that are compared with all others at a time


def threshold(embedding: np.ndarray, identity: np.ndarray, false_accepts: float) -> tuple[float, int]:
  """(cosine, pairs): what at most the share `false_accepts` of the pairs of different people exceeds, and their number.

  Args:
    embedding: [N, D], of length 1.
    identity: int [N]; each UNKNOWN is a person of its own.
    false_accepts: in (0, 1).

  Raises:
    ValueError: where fewer pairs are there than one false acceptance needs.
  """
  people = intervals.people_of(identity)
  of_each = np.bincount(people).astype(int)
  pairs = math.comb(len(people), 2) - sum(math.comb(int(count), 2) for count in of_each)
  if pairs * false_accepts < 1:
    raise InputError(
      f"{pairs} pairs of different people do not tell the threshold of a false acceptance rate of "
      f"{false_accepts}; use more test faces (config.data.limit, train_fraction) or raise --false-accepts"
    )
  # The highest scores are kept, as many as reach down to the quantile: all pairs of a large set would fill the memory.
  kept, top = np.empty(0), pairs - math.ceil((pairs - 1) * (1 - false_accepts))
  for start in range(0, len(people), _ROWS):
    rows = np.arange(start, min(start + _ROWS, len(people)))
    pair = (np.arange(len(people)) > rows[:, None]) & (people != people[rows, None])
    found = np.concatenate([kept, (embedding[rows] @ embedding.T)[pair]])
    kept = np.partition(found, -top)[-top:] if len(found) > top else found
  return float(kept.min()), pairs


def measure(
  before: np.ndarray, after: np.ndarray, target: np.ndarray, identity: np.ndarray, false_accepts: float
) -> dict:
  """What one recogniser makes of the faces; every rate as rates.Rate tells it.

  Args:
    before: [N, D], of length 1, its embeddings of the originals.
    after: [N, D], of what was made of them.
    target: [D], of the face to be impersonated.
    identity: int [N].
    false_accepts: see `threshold`.
  """
  level, pairs = threshold(before, identity, false_accepts)
  rate = lambda hits: intervals.wilson_by_identity(hits.astype(float), identity).as_dict()
  return {
    "threshold": level,
    "pairs": pairs,
    "success_before": rate(before @ target > level),
    "success": rate(after @ target > level),
    "dodged": rate(np.sum(before * after, -1) < level),
    "cosine_before": float(np.mean(before @ target)),
    "cosine": float(np.mean(after @ target)),
  }


def impersonation(workdir: str | os.PathLike, unseen: list[str], false_accepts: float) -> dict:
  """Measures the finished run of the task amt_gan in `workdir`; writes impersonation.json there and returns it.

  Args:
    workdir: with config.json and network.
    unseen: further recognisers, see embedders.open_embedder.
    false_accepts: see `threshold`.

  Raises:
    ValueError: for another run, or a recogniser that the run was trained against among `unseen`.
  """
  workdir = pathlib.Path(workdir)
  config = schema.view(config_file.load(workdir))
  if config.task != "amt_gan":
    raise InputError(f"{workdir} is a run of the task {config.task!r}; give one of configs/amt_gan.py")
  meta = networks.read_meta(workdir / "network")
  opened = embedders.open_all([*config.amt_gan.embedders, *unseen])  # refuses the same one twice
  experiment = assemble.experiment(config)
  provenance.check(config, experiment, workdir)
  data = experiment.data
  faces, plain = data.test.first, data.train.first
  target = plain.take([plain.name.index(meta["target"])])
  others = (faces.identity != target.identity[0]) | (faces.identity == types.UNKNOWN)
  faces = faces.take(np.flatnonzero(others))  # nobody impersonates himself
  made = _repainted(DEIDENTIFIERS["amt_gan"](checkpoint=workdir / "network"), faces, config.seed)
  found = []
  for number, one in enumerate(tqdm(opened, desc="recognise", unit="network")):
    embed = lambda image, eyes, one=one: np.asarray(one.embed(image, eyes), np.float64)
    measured = measure(
      embed(faces.image, faces.eyes),
      embed(made, faces.eyes),
      embed(target.image, target.eyes)[0],
      faces.identity,
      false_accepts,
    )
    found.append({"embedder": one.name, "trained_against": number < len(config.amt_gan.embedders)} | measured)
  result = {"n": len(faces), "false_accepts": false_accepts, "target": meta["target"], "embedders": found}
  aside = workdir / "impersonation.json.aside"
  aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
  os.replace(aside, workdir / "impersonation.json")
  return result


def _repainted(deidentifier: types.Deidentifier, faces: types.FaceSet, seed: int) -> np.ndarray:
  """uint8 [N, S, S, 3]: every face as the de-identifier returns it."""
  made = jax.jit(lambda params, batch, key: as_file(make_views((deidentifier,), (params,), to_face(batch), key))[:, 0])
  images = [
    made(deidentifier.params, batch, jax.random.fold_in(jax.random.key(seed), number))
    for number, batch in enumerate(batches(faces, np.arange(len(faces)), BATCH, pad=True))
  ]
  return np.concatenate(jax.device_get(images))[: len(faces)]


def _line(one):
  rate = lambda r: f"{r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"
  seen = "trained against" if one["trained_against"] else "never seen"
  return (
    f"{one['embedder']} ({seen}): success {rate(one['success'])}, before {rate(one['success_before'])}; dodged "
    f"{rate(one['dodged'])}; mean cosine to the target {one['cosine_before']:.3f} -> {one['cosine']:.3f}"
  )


def lines(result: dict) -> list[str]:
  """What `impersonation` found, in words."""
  return [f"{result['n']} faces of other people, target {result['target']}", *map(_line, result["embedders"])]
