"""Quantizers: encodings to discrete codes and back. One file each.

Every one is a `types.Quantizer`; `QUANTIZERS[name](**options)` makes it. tests/quantize holds the contract that each
name in the table is held to.
"""

from qm_vae.registry import Registry

QUANTIZERS = Registry(
  "quantizer", {"vq": "qm_vae.quantizers.vq:make", "fsq": "qm_vae.quantizers.fsq:make"}, group="qm_vae.quantizers"
)
