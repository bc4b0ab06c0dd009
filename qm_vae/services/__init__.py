"""Services: frozen networks whose answers a de-identified image must keep. The contract is `types.Service`."""

from qm_vae.registry import Registry

SERVICES = Registry(
  "service",
  {"expression": "qm_vae.services.expression:load", "attributes": "qm_vae.services.attributes:load"},
  group="qm_vae.services",
)
"""Each is `load(directory) -> Service`; `directory` is what io.networks.save wrote."""
