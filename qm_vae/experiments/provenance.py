"""Digests of the data and networks that a run's numbers rest on."""

import hashlib
import json
import pathlib

import numpy as np

from qm_vae import embedders
from qm_vae.data.unpaired import Unpaired
from qm_vae.errors import InputError
from qm_vae.experiments import settings
from qm_vae.experiments.schema import Config
from qm_vae.io import networks as network_file
from qm_vae.io import records, run_folder
from qm_vae.training.state import Experiment


def digests(config: Config, experiment: Experiment) -> dict:
  """What a run's numbers hang on besides its config: digests of the faces on both sides and of the frozen networks."""
  found = dict(getattr(experiment.parts, "networks", {}))
  networks = settings.networks_of(config) if config.task == "qm_vae" else {}
  paths = {name: one.checkpoint for name, one in networks.items()}
  if config.task in ("qm_vae", "black_box"):
    # A baseline may change between training and judging; what QM-VAE was trained on or to may not.
    if settings.landmarks_shape(config):
      paths["landmarks"] = config.landmarks
    paths |= {
      f"deid.{name}": config.deid[name]["checkpoint"]
      for name in (*config.views, config.target.image)
      if config.deid.get(name, {}).get("checkpoint")
    }
  recognisers = {"qm_vae": config.recognisers, "amt_gan": config.amt_gan.embedders}.get(config.task, ())
  found |= {f"embedder {i}": embedders.open_embedder(path).sha256 for i, path in enumerate(recognisers)}
  return {
    "train": _digest(experiment.data.train),
    "test": _digest(experiment.data.test),
    "networks": {name: network_file.read_meta(path)["sha256"] for name, path in paths.items()} | found,
  }


def _digest(found):
  total = hashlib.sha256()
  for one in (found.first, found.second) if isinstance(found, Unpaired) else (found,):
    total.update("\0".join(one.name).encode())
    for array in (one.image, one.eyes, one.identity, one.label):
      total.update(np.ascontiguousarray(array).tobytes())
  return total.hexdigest()


def check(config: Config, experiment: Experiment, workdir: pathlib.Path) -> dict:
  """Writes WORKDIR/provenance.json, or compares with what is there; returns its content.

  Raises:
    ValueError: where the data or networks changed since the run began.
  """
  path = workdir / "provenance.json"
  now = digests(config, experiment)
  if not path.exists():
    records.write_text(path, json.dumps(now, indent=1) + "\n")
    return now
  then = run_folder.read_provenance(workdir)
  changed = [key for key in ("train", "test") if then[key] != now[key]]
  networks = then["networks"].keys() | now["networks"].keys()
  changed += sorted(name for name in networks if then["networks"].get(name) != now["networks"].get(name))
  if changed:
    raise InputError(
      f"{', '.join(changed)} changed since the run in {workdir} began (provenance.json); bring the data and networks "
      "back, or start in another --workdir"
    )
  return now
