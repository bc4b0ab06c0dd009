"""De-identifiers with the options that a config gives them."""

import ml_collections

from qm_vae.deidentifiers import DEIDENTIFIERS, baselines
from qm_vae.types import Deidentifier, FaceSet


def deidentifier(config: ml_collections.ConfigDict, name: str, gallery: FaceSet | None = None) -> Deidentifier:
  """The de-identifier called `name` with its options from `config.deid`; `gallery` is what k_same averages.

  Raises:
    ValueError: for options out of range, a network that cannot be used, or k_same without a gallery.
  """
  return DEIDENTIFIERS[name](**_deid_options(config, name, gallery))


def baseline(config: ml_collections.ConfigDict, text: str, gallery: FaceSet) -> Deidentifier:
  """The same of 'NAME:OPTION=VALUE' (deid/baselines.py), whose options come before those of `config.deid`."""
  name, _ = baselines.parsed(text)
  return baselines.make(text, _deid_options(config, name, gallery))


def _deid_options(config, name, gallery):
  options = dict(config.deid.get(name, {}))
  if name == "k_same" and gallery is not None:
    options |= {"gallery": gallery.image, "identity": gallery.identity}
  return options
