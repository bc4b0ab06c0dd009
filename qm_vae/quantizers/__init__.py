"""Quantizers: encodings to discrete codes and back. One file each.

Every one is a `types.Quantizer`; `QUANTIZERS[name](**options)` makes it. `VectorQuantizer` is the same
as a Flax module.
"""

from qm_vae.registry import Registry

QUANTIZERS = Registry(
  "quantizer",
  {"vq": "qm_vae.quantizers.vq:make", "fsq": "qm_vae.quantizers.fsq:make"},
  group="qm_vae.quantizers",
)


def __getattr__(name: str):
  """`VectorQuantizer`, whose file brings Flax along."""
  if name == "VectorQuantizer":
    from qm_vae.quantizers.module import VectorQuantizer

    return VectorQuantizer
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
