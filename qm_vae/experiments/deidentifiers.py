"""De-identifiers with the options that a config gives them."""

from qm_vae import landmarkers
from qm_vae.deidentifiers import DEIDENTIFIERS, spec
from qm_vae.experiments.gallery import Gallery
from qm_vae.experiments.schema import Config
from qm_vae.options import trait
from qm_vae.services import SERVICES
from qm_vae.types import Deidentifier, FaceSet, Service


def deidentifier(
  config: Config, name: str, gallery: FaceSet | Gallery | None = None, service: Service | None = None
) -> Deidentifier:
  """The de-identifier called `name` with its options from `config.deid`; `gallery` is given to those that need one.

  `service`, where given, takes the place of `config.service`.

  Raises:
    ValueError: for options out of range, a network that cannot be used, or a missing gallery.
  """
  options = _deid_options(config, name, gallery)
  if service is not None and trait(DEIDENTIFIERS[name], "needs_service"):
    options["service"] = service
  return DEIDENTIFIERS[name](**options)


def baseline(config: Config, text: str, gallery: FaceSet) -> Deidentifier:
  """The same of 'NAME:OPTION=VALUE' (deidentifiers/spec.py), whose options come before those of `config.deid`."""
  name, _ = spec.parse(text)
  return spec.make(text, _deid_options(config, name, gallery))


def _deid_options(config, name, gallery):
  options = dict(config.deid.get(name, {}))
  if gallery is not None and trait(DEIDENTIFIERS[name], "needs_gallery"):
    options |= {"gallery": gallery.image, "identity": gallery.identity, "eyes": gallery.eyes}
  if trait(DEIDENTIFIERS[name], "needs_service") and config.service.checkpoint:
    options["service"] = SERVICES["expression"](config.service.checkpoint)
  if trait(DEIDENTIFIERS[name], "uses_landmarker") and config.landmarks:
    options["landmarker"] = landmarkers.load(config.landmarks)
  return options
