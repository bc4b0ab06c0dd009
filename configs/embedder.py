r"""Trains a face recogniser for the attackers: the network that `config.embedder` describes.

python -m qm_vae.main --config=configs/embedder.py                                     # synthetic people
python -m qm_vae.main --config=configs/embedder.py:celeba_folder --config.data.root=CELEBA --config.data.limit=0
The network is in WORKDIR/network; pass it as --config.privacy.embedders="('WORKDIR/network',)". People of the test
set do not train it. A public recogniser, trained on about ten thousand people, is far stronger
(docs/embedders.md).
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.task = "embedder"
  config.judges = {}
  config.checkpoint_every = 1
  config.evaluate_every = 1
  if arg in (None, "", "synthetic"):
    config.data = config.service_data
  config.data.split = "identity"
  default.share_schedule(config, "embedder")
  return config
