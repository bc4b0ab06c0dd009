r"""Fits one parameter of each view to its row of the paper's Table 2 on training faces, and measures it on test faces.

  python -m qm_vae.evaluate.fit_views --config=configs/paper.py:celeba_folder --config.data.root=CELEBA \
      --config.service.checkpoint=NETWORK

Prints the loss rate of every candidate on the training faces, then the rate of the nearest one, of the settings in the
config and of those that the paper prints, on training and test faces. Nothing is trained. configs/paper.py holds the
result.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from qm_vae.errors import InputError


def main(arguments: list[str]) -> None:
  """Fits and prints."""
  if len(arguments) > 1:
    raise app.UsageError(f"unexpected argument {arguments[1]!r}; options are written --name=value")
  from qm_vae.evaluate import fitted_views  # --help does not wait for it

  try:
    fitted_views.run(_CONFIG.value)
  except (InputError, OSError) as error:
    sys.exit(f"error: {error}")


if __name__ == "__main__":
  _CONFIG = config_flags.DEFINE_config_file("config", None, "File of the experiment, with :DATA.", lock_config=True)
  flags.mark_flag_as_required("config")
  app.run(main)
