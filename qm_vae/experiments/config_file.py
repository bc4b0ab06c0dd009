"""The config.json of a run's folder."""

import pathlib

import ml_collections

from qm_vae.errors import InvalidFile
from qm_vae.experiments import schema
from qm_vae.io import run_folder


def load(workdir: str | pathlib.Path) -> ml_collections.ConfigDict:
  """The config of the run in `workdir`; keys that an earlier version did not have get their defaults.

  Raises:
    InvalidFile: when there is none, it cannot be read, or it has keys that there are not.
  """
  found = run_folder.read_config(workdir)
  path = pathlib.Path(workdir) / "config.json"
  try:
    config = schema.complete(found)
    schema.check(config)
    return config
  # A value of another form surfaces as whatever the dataclasses and ConfigDict make of it.
  except (ValueError, TypeError, AttributeError, KeyError) as error:
    raise InvalidFile(path, f"is no config ({str(error)[:300]})", remedy="restore the file of the run") from None
