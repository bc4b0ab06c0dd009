r"""Trains an expression recogniser, for use as service or judge: the network that `config.service` describes.

python -m qm_vae.main --config=configs/expression.py                                   # synthetic people
python -m qm_vae.main --config=configs/expression.py:fer2013 --config.data.root=fer2013.csv
python -m qm_vae.main --config=configs/expression.py:fer2013 --config.data.root=fer2013.csv \
    --config.service.architecture=mini_xception --config.service.seed=1 --workdir=runs/other  # another one
The network is in WORKDIR/network. FER2013 is split as published: Training trains, PublicTest tests.
On two CPU cores without a GPU FER2013 takes about 50 minutes; expect >= 0.64 on its public test.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.task = "classifier"
  config.judges = {}
  config.checkpoint_every = 1
  config.evaluate_every = 1
  if arg in (None, "", "synthetic"):
    config.data = config.service_data
  if arg == "fer2013":
    config.image_size = 48
    config.service.architecture = "wide_resnet"
    config.service.epochs = 30
    config.service.batch_size = 64
    config.service.learning_rate = 2e-3
    config.service.weight_decay = 0.05
  default.share_schedule(config, "service")
  return config
