"""python -m qm_vae.evaluate."""

from qm_vae.evaluate.qm_vae import main

if __name__ == "__main__":
  main()
