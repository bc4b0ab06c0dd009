"""`python -m qm_vae.impersonation`: runs `qm_vae.evaluate.impersonation`."""

from qm_vae.evaluate.impersonation import main

if __name__ == "__main__":
  main()
