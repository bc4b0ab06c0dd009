"""De-identifiers: a face in, the same face without (some of) its identity out. One file each.

Every one is a `types.Deidentifier`; `DEIDENTIFIERS[name](**options)` makes it. tests/deid holds the contract that each
name in the table is held to.
"""

from qm_vae.registry import Registry

DEIDENTIFIERS = Registry(
  "de-identifier",
  {
    "identity": "qm_vae.deidentifiers.identity:make",
    "blank": "qm_vae.deidentifiers.blank:make",
    "solid": "qm_vae.deidentifiers.solid:make",
    "blindfold": "qm_vae.deidentifiers.blindfold:make",
    "mosaic": "qm_vae.deidentifiers.mosaic:make",
    "laplace": "qm_vae.deidentifiers.laplace:make",
    "cartoon": "qm_vae.deidentifiers.cartoon:make",
    "blur": "qm_vae.deidentifiers.blur:make",
    "ugatit": "qm_vae.deidentifiers.ugatit:make",
    "amt_gan": "qm_vae.deidentifiers.amt_gan:make",
    "k_same": "qm_vae.deidentifiers.k_same:make",
    "dp_pixel": "qm_vae.deidentifiers.dp_pixel:make",
  },
)
