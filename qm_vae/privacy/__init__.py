"""Privacy, measured: who can be re-identified, by which attacker, and how certain the number is."""


def __getattr__(name: str):
  """The functions on arrays, whose file brings SciPy along."""
  if name in ("identification", "Identification"):
    from qm_vae.privacy import arrays

    return getattr(arrays, name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
