"""QM-VAE: hide people's identity, keep what a service reads from the face, and measure both.

The public API; nothing heavy is imported until it is used.

  deidentify(image, method)         pictures with every face hidden
  deidentifiers.mosaic(block=8)     a de-identifier of face crops; so for every name of deidentifiers.DEIDENTIFIERS
  quantizers.VectorQuantizer(...)   the vector quantizer as a Flax module
  privacy.identification(...)       re-identification rates from embeddings
  audit_arrays(...)                 privacy of what any method made of faces
  Config, train(config, workdir)    a run, from its config to its report
"""

import importlib.util
import platform
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from qm_vae import deidentifiers, deidentify, privacy, quantizers
  from qm_vae.audit.arrays import audit_arrays
  from qm_vae.evaluate.train import train
  from qm_vae.experiments.schema import Config

__version__ = "0.1.0"

if sys.platform == "darwin" and platform.machine() == "x86_64" and importlib.util.find_spec("jax") is None:
  raise ImportError(
    "qm_vae needs JAX, which is not made for macOS on Intel processors any more; take a Mac with Apple silicon, Linux, "
    "Windows, or the Dockerfile"
  )

_LAZY = {
  "Config": "qm_vae.experiments.schema:Config",
  "audit_arrays": "qm_vae.audit.arrays:audit_arrays",
  "train": "qm_vae.evaluate.train:train",
}
_FOLDERS = ("deidentifiers", "deidentify", "privacy", "quantizers")

__all__ = ("Config", "audit_arrays", "deidentifiers", "deidentify", "privacy", "quantizers", "train")


def __getattr__(name: str):
  if name in _FOLDERS:
    return importlib.import_module(f"qm_vae.{name}")
  if name in _LAZY:
    module, attribute = _LAZY[name].split(":")
    return getattr(importlib.import_module(module), attribute)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return [*__all__, "__version__"]
