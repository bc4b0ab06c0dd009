r"""Trains the networks of the drawn faces that come with the package, and puts them there.

  python docs/networks/make.py                 # about five minutes on two cores

The service, the judge and the attackers' face recogniser of a run on drawn faces learn from drawn people of their own.
They are kept in qm_vae/data/synthetic/networks, in folders named by the digest of everything that shapes them: the
version of the drawings, people, crops, architecture, epochs and augmentation. A run takes them only where its config
has the same digest. Run this again when the drawings or the defaults change: shipped_networks_test.py fails then.
"""

import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from configs import default  # noqa: E402
from qm_vae.experiments import resolve, run  # noqa: E402
from qm_vae.io import networks  # noqa: E402

COMMAND = "python docs/networks/make.py"
SIZE = 64
"""Pixels, side of the crops on a CPU; on a GPU they are larger, and networks are trained for them."""


def main() -> None:
  """Trains and stores every network."""
  config = default.get_config()
  config.image_size = SIZE
  with tempfile.TemporaryDirectory() as scratch:
    config.cache_dir = scratch
    shutil.rmtree(resolve.SHIPPED, ignore_errors=True)
    for name, derived in resolve.trainings(config).items():
      folder = resolve.network_folder(derived)
      run.run(derived, folder)
      meta, variables = networks.load(folder / "network")
      target = resolve.SHIPPED / folder.parent.name / folder.name
      networks.save(target, meta | {"made_by": COMMAND}, variables, compressed=True)
      print(f"{name}: {target}, {sum(path.stat().st_size for path in target.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
  main()
