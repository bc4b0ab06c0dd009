r"""Trains a network for CelebA's attributes, for use as a service: those in `attributes`, any of the forty.

python -m qm_vae.main --config=configs/attributes.py:celeba_folder --config.data.root=CELEBA --config.data.limit=0
python -m qm_vae.main --config=configs/attributes.py:celeba_folder --config.data.root=CELEBA \
    --config.attributes="('Smiling', 'Eyeglasses')"
The network is in WORKDIR/network; pass it as --config.quality.smile.checkpoint, with its names in the same order.
"""

from configs import expression


def get_config(arg=None):
  config = expression.get_config(arg or "celeba_folder")
  config.task = "attributes"
  config.service.architecture = "resnet"
  config.service.epochs = 15
  return config
