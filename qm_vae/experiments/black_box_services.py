"""The services outside the graph that a config names: what they tell, and how they are opened."""

import hashlib
import json
import pathlib
import sys

from qm_vae.errors import InputError
from qm_vae.experiments import settings
from qm_vae.experiments.schema import Config
from qm_vae.experiments.schema.fields import plain
from qm_vae.io import networks as network_file
from qm_vae.services import answers
from qm_vae.services.black_box import CLIENTS, Asking, BlackBox
from qm_vae.types import EXPRESSIONS

OFFERED = "qm_vae.services.offered:probabilities"
"""The function that offers a network of this project; it needs a checkpoint."""


def quality(config: Config, name: str) -> answers.Quality:
  """What the service `name` of `config.quality` tells.

  Raises:
    ValueError: naming the key, when it is not whole or not in the config.
  """
  if name not in config.quality:
    raise InputError(f"config.qualities has {name!r}; config.quality has {', '.join(config.quality)}")
  one = config.quality[name]
  found = answers.Quality(one.kind, tuple(one.names), tuple(one.tolerance))
  try:
    answers.check(found)
  except ValueError as error:
    raise InputError(f"config.quality.{name}: {error}") from error
  if one.checkpoint:
    known = tuple(network_file.read_meta(one.checkpoint).get("classes", found.names))
    if known != found.names:
      raise InputError(
        f"config.quality.{name}.names are {found.names}, but the network {one.checkpoint} answers in {known}"
      )
  return found


def client(config: Config, name: str):
  """The client that `config.quality.NAME` describes.

  Raises:
    ValueError: naming the key; for an address without permission, too, before anything is sent.
  """
  one = config.quality[name]
  options = {"callable": {"checkpoint": one.checkpoint}, "onnx": vars(one.onnx), "http": vars(one.http)}
  chosen = {key: value for key, value in options[one.client].items() if value not in ("", None)}
  if not one.source:
    raise InputError(f"config.quality.{name}.source is empty; a service of client {one.client!r} needs one")
  try:
    return CLIENTS[one.client](one.source, **chosen)
  except ValueError as error:
    raise InputError(f"config.quality.{name}: {error}") from error


def open_boxes(config: Config, workdir: pathlib.Path) -> dict[str, BlackBox]:
  """The services of `config.qualities`; answers are kept in the user's cache, what was sent is counted in `workdir`."""
  tell = lambda sentence: print(f"\n{sentence}", file=sys.stderr)
  boxes = {}
  for name in config.qualities:
    one = config.quality[name]
    boxes[name] = BlackBox(
      name,
      client(config, name),
      quality(config, name),
      Asking(one.batch_size, one.concurrency, one.retries, one.backoff, one.budget),
      answers=settings.cache_dir(config) / "answers" / f"{_fingerprint(config, name)}.jsonl",
      ledger=workdir / "black_box" / f"{name}.sent",
      tell=tell,
    )
  return boxes


def _fingerprint(config, name):
  """Of everything that an answer depends on, as far as this side knows."""
  one = plain(config.quality[name])
  shaping = {key: one[key] for key in ("client", "source", "kind", "names", "onnx")}
  shaping["digest"] = digests(config).get(name, "")
  return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:32]


def digests(config: Config) -> dict[str, str]:
  """SHA-256 of the network behind each service, of those that are files here."""
  found = {}
  for name in config.qualities:
    one = config.quality[name]
    if one.client == "onnx":
      path = pathlib.Path(one.source)
      if not path.is_file():
        raise InputError(f"config.quality.{name}.source: there is no file {path}")
      found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    elif one.checkpoint:
      found[name] = network_file.read_meta(one.checkpoint)["sha256"]
  return found


def judged(config: Config) -> str | None:
  """The service whose answers the judges, which are expression recognisers, can confirm; None where there is none."""
  qualities = lambda name: (
    config.quality[name].kind == "classes" and set(config.quality[name].names) == set(EXPRESSIONS)
  )
  return next(filter(qualities, config.qualities), None)


def offered(config: Config) -> list[str]:
  """The services that are this run's own `service`, offered as a black box, for want of a checkpoint.

  Raises:
    ValueError: where a network of attributes has no checkpoint, which nothing here trains unasked.
  """
  if config.task != "black_box":
    return []
  names = []
  for name in config.qualities:
    quality(config, name)
    one = config.quality[name]
    if one.client == "callable" and one.source == OFFERED and not one.checkpoint:
      if one.kind != "classes":
        raise InputError(
          f"config.quality.{name}.checkpoint is empty; train a network, with --config=configs/attributes.py, and give "
          "the folder that it tells"
        )
      names.append(name)
  return names
