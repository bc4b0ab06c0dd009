"""The config.json of a run's folder."""

import pathlib

import ml_collections

from qm_vae.experiments import schema
from qm_vae.io import run_folder


def load(workdir: str | pathlib.Path) -> ml_collections.ConfigDict:
  """The config of the run in `workdir`; keys that an earlier version did not have get their defaults.

  Raises:
    ValueError: when there is none, it cannot be read, or it has keys that there are not.
  """
  found = run_folder.read_config(workdir)
  try:
    return schema.complete(found)
  except ValueError as error:
    raise ValueError(f"{pathlib.Path(workdir) / 'config.json'}: {error}") from None
