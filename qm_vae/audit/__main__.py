"""python -m qm_vae.audit."""

import sys

from qm_vae.audit.audit import main

if __name__ == "__main__":
  sys.exit(main())
