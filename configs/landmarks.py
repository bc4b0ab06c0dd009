r"""Trains a network of 68 landmarks on drawn faces, which know theirs, for `config.landmarks` and `--landmarks`.

python -m qm_vae.main --config=configs/landmarks.py
python -m qm_vae.main --config=configs/landmarks.py --config.data.options.synthetic.num_people=3000
The network lies in WORKDIR/network; give it as --config.landmarks=WORKDIR/network. `config.service` holds its learning
rate, batch and epochs. A network that learnt from photographs is better on photographs:
python -m qm_vae.convert faceapi-landmarks.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.task = "landmarks"
  config.judges = {}
  config.checkpoint_every = 1
  config.evaluate_every = 1
  if arg in (None, "", "synthetic"):
    config.data = config.service_data
  config.service.epochs = 8
  config.service.augment.update(shift=0.06, scale=0.15, flip=0.0, noise=0.02)
  default.share_schedule(config, "service")
  return config
