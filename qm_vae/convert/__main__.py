"""`python -m qm_vae.convert`; the formats are in __init__.py."""

from qm_vae.convert import main

if __name__ == "__main__":
  main()
