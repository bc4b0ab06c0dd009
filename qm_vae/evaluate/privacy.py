"""The report's section on privacy: who is attacked, with what, and what is promised."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from qm_vae import embedders, types
from qm_vae.data import parts, split
from qm_vae.evaluate import outputs
from qm_vae.experiments import datasets, settings
from qm_vae.experiments.schema import Config
from qm_vae.faces import cache as face_cache
from qm_vae.faces import cropping
from qm_vae.io import progress
from qm_vae.privacy import end_to_end, guarantees, measure, protocol, training
from qm_vae.privacy.contract import Pairs
from qm_vae.training.state import Experiment, Split, State
from qm_vae.types import Deidentifier


class Attacked(NamedTuple):
  """Whose privacy is measured."""

  faces: types.FaceSet
  barred: np.ndarray  # positions in `faces` of those whose people the method has seen
  session: np.ndarray  # int32 [N], in which session each face was taken; types.UNKNOWN where unknown
  found: int  # records that gave a face, duplicates included


def attacked(config: Config, data: Split) -> Attacked:
  """The faces of `config.privacy.data`, each picture once; nobody of the run's own data will be attacked.

  Without such data the run's own faces, of whose people those who trained will not be attacked.

  Raises:
    ValueError: where nobody is known.
  """
  own = parts.join(data.train, data.test)
  if not config.privacy.data.name:
    found, barred = own, np.arange(len(data.train))
    # Those who trained are not attacked, so that nobody asks for their sessions.
    unknown = np.full(len(data.train), types.UNKNOWN, np.int32)
    session = np.concatenate([unknown, _sessions(data.test_source, data.test)])
  else:
    crop_settings = cropping.Settings(image_size=own.image.shape[1], **vars(config.privacy.data.faces))
    source = datasets.dataset(config.privacy.data)
    cache = settings.cache_dir(config) / "faces"
    found = face_cache.load_or_crop(source, crop_settings, cache, config.privacy.data.limit)
    names = {own.identities[i] for i in np.unique(own.identity) if i != types.UNKNOWN} if own.identities else set()
    of_run = [found.identities[i] in names if i != types.UNKNOWN else False for i in found.identity]
    barred, session = np.flatnonzero(of_run), _sessions(source, found)
  kept = split.distinct(found.image)
  return Attacked(found.take(kept), np.flatnonzero(np.isin(kept, barred)), session[kept], len(found))


def _sessions(source, faces):
  """int32 [N]: what a source says of the sessions of its faces; the attribute `session` is optional."""
  known = getattr(source, "session", None)
  return np.full(len(faces), types.UNKNOWN, np.int32) if known is None else known[faces.index]


def section(
  config: Config,
  workdir: pathlib.Path,
  experiment: Experiment,
  state: State,
  controls: dict[str, Deidentifier],
  kind: Callable,
) -> dict:
  """The privacy table of the controls, the views, their union, baselines and QM-VAE; without one, why.

  Args:
    config: of the run.
    workdir: its folder; attackers that learn are kept in it.
    experiment: of the task `qm_vae`.
    state: the trained state.
    controls: as for outputs.make.
    kind: (name of a method, experiment.parts) -> measure.Method.kind.

  Returns:
    {"privacy": ...} as docs/report.md has it, or {"privacy": None, "not_measured": ...}.
  """
  privacy_config = config.privacy
  if not privacy_config.attackers or not privacy_config.embedders:
    lacking = [name for name in ("attackers", "embedders") if not getattr(privacy_config, name)]
    return _not_measured(" and ".join(f"config.privacy.{name} is empty" for name in lacking))
  found, barred, session, num_found = attacked(config, experiment.data)
  try:
    chosen = protocol.choose(
      found.identity,
      people=privacy_config.people,
      probes=privacy_config.probes,
      seed=privacy_config.seed,
      barred=barred,
    )
  except ValueError as error:  # the report is worth having without
    return _not_measured(str(error))
  is_attacked = np.isin(found.identity, found.identity[chosen.gallery])  # with all their pictures: a closed set
  made, methods = outputs.make(experiment, state, controls, found, is_attacked), []
  views = tuple(experiment.parts.views)
  # The de-identifier `blank` leaves what lies outside the frame as it is; here nothing may tell two faces apart.
  for name, image in (made.images | {"blank": np.full_like(found.image, 128)}).items():
    if name in views and not privacy_config.views:
      continue
    pairs = Pairs(
      original=found.image,
      protected=image,
      eyes=found.eyes,
      protected_eyes=_eyes(privacy_config.eyes, kind(name, experiment.parts), found.eyes),
      identity=found.identity,
      name=found.name,
      pixels=image,
      codes=made.codes if name == "qm_vae" else None,
    )
    methods.append(measure.Method(name, kind(name, experiment.parts), pairs))
  with progress.bar(len(methods) * len(privacy_config.attackers), "privacy", "attack") as bar:
    measured = measure.measure(
      methods,
      chosen,
      embedders.open_all(privacy_config.embedders),
      attackers=privacy_config.attackers,
      learn=training.learner(workdir / "attackers", privacy_config.seed),
      union=measure.Union("union", views) if privacy_config.views else None,
      crowds=privacy_config.crowds,
      training_scale=privacy_config.effort,
      seed=privacy_config.seed,
      tell=progress.teller(bar),
      session=session,
    )
  end_to_end.add(measured.report, found.missed, num_found)
  bounds = promised(experiment.parts.guarantee, measured.report["crowds"], measured.report["people"])
  return {"privacy": measured.report | {"guarantee": bounds, "eyes": privacy_config.eyes}}


def _eyes(privacy_config, kind, found):
  """What attackers know of the eyes in protected pictures; in the controls, everything."""
  if privacy_config == "original" or kind == "control":
    return found
  return np.broadcast_to(found.mean(axis=0), found.shape).copy()


def promised(guarantee, crowds, people):
  """What the mechanism promises in every crowd; None where nothing is promised.

  The theorems speak of one picture of each person, all equally likely. A smaller crowd is a random choice of people, of
  which k-same promises nothing: its groups are not in it as wholes.
  """
  if guarantee is None or people["probes"] != people["attacked"]:
    return None
  if "k" in guarantee:
    crowds = [size for size in crowds if size == people["attacked"]]
  bounds = [{"people": size, "at_most": guarantees.rank_1(guarantee, size)} for size in crowds]
  return guarantee | {"rank_1": bounds} if any(bound["at_most"] < 1 for bound in bounds) else None


def _not_measured(reason):
  print(f"Privacy was not measured: {reason}.")
  return {"privacy": None, "not_measured": {"privacy": reason}}
