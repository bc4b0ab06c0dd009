"""De-identifiers: a face in, the same face without (some of) its identity out. One file each.

`DEIDENTIFIERS[name](**options)`, or `qm_vae.deidentifiers.mosaic(block=8)`, makes a `types.Deidentifier`. A factory is
marked with `options.member`, declares its options in its signature, and may declare these traits:

  control            a yardstick of reports: it is no view of a generator
  hides_nothing      no method for footage
  needs_gallery      it averages faces of other people, which the factory takes as `gallery`, `identity` and `eyes`
  needs_service      it keeps the answer of a service, which the factory takes as `service`
  uses_landmarker    a landmark network places faces better, which the factory takes as `landmarker`
  removes_identity   recognisers were measured to fail on what it leaves, so that footage needs no warning
  in_frames          options in place of the defaults where faces of whole frames are hidden

What a face must come with, `eyes` or `landmarks`, the made `Deidentifier` says itself, in `needs`.
"""

from qm_vae.registry import Registry

DEIDENTIFIERS = Registry(
  "de-identifier",
  {
    "identity": "qm_vae.deidentifiers._identity:make",
    "blank": "qm_vae.deidentifiers._blank:make",
    "solid": "qm_vae.deidentifiers._solid:make",
    "blindfold": "qm_vae.deidentifiers._blindfold:make",
    "mosaic": "qm_vae.deidentifiers._mosaic:make",
    "laplace": "qm_vae.deidentifiers._laplace:make",
    "cartoon": "qm_vae.deidentifiers._cartoon:make",
    "blur": "qm_vae.deidentifiers._blur:make",
    "ugatit": "qm_vae.deidentifiers._ugatit:make",
    "amt_gan": "qm_vae.deidentifiers._amt_gan:make",
    "k_same": "qm_vae.deidentifiers._k_same:make",
    "dp_pixel": "qm_vae.deidentifiers._dp_pixel:make",
    "aligned_mean": "qm_vae.deidentifiers._aligned_mean:make",
    "warped_mean": "qm_vae.deidentifiers._warped_mean:make",
  },
  group="qm_vae.deidentifiers",
)


def __getattr__(name: str):
  """The factory of a listed de-identifier, so that `deidentifiers.mosaic(block=8)` reads as it should."""
  if name in DEIDENTIFIERS.names():
    return DEIDENTIFIERS[name]
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return ["DEIDENTIFIERS", *DEIDENTIFIERS.names()]
