"""De-identifiers: a face in, the same face without (some of) its identity out. One file each.

Every one is a `types.Deidentifier`; `DEIDENTIFIERS[name](**options)` makes it. tests/deid holds the contract that each
name in the table is held to.
"""

from qm_vae.registry import Registry

DEIDENTIFIERS = Registry(
  "de-identifier",
  {
    "identity": "qm_vae.deid.identity:make",
    "blank": "qm_vae.deid.blank:make",
    "solid": "qm_vae.deid.solid:make",
    "blindfold": "qm_vae.deid.blindfold:make",
    "mosaic": "qm_vae.deid.mosaic:make",
    "laplace": "qm_vae.deid.laplace:make",
    "cartoon": "qm_vae.deid.cartoon:make",
    "blur": "qm_vae.deid.blur:make",
    "ugatit": "qm_vae.deid.ugatit:make",
    "amt_gan": "qm_vae.deid.amt_gan:make",
    "k_same": "qm_vae.deid.k_same:make",
    "dp_pixel": "qm_vae.deid.dp_pixel:make",
  },
)
