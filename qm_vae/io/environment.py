"""What a measurement ran on."""

import os
import platform

import flax
import jax


def environment() -> dict:
  """What a measurement ran on."""
  return {
    "python": platform.python_version(),
    "jax": jax.__version__,
    "flax": flax.__version__,
    "platform": platform.platform(),
    "device": jax.devices()[0].device_kind,
    "cores": os.cpu_count(),
  }
