r"""A quick run of everything, in about a minute: a check of the installation, not a result.

python -m qm_vae.main --config=configs/smoke.py
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.image_size = 32
  config.epochs = 2
  config.evaluate_every = 1
  config.checkpoint_every = 1
  config.log_every = 2
  config.data.limit = 84
  config.data.train_fraction = 0.6  # so that there are enough people to attack
  config.privacy.attackers = ("naive", "residual")
  config.embedder.update(input_size=32, epochs=2)
  config.quantizer.vq.num_codes = 64
  config.service_data.options.synthetic.update(num_people=105, images_per_person=4)
  for network in (config.service, *config.judges.values()):
    network.architecture = "resnet"  # the faster one to train
    network.epochs = 6
    network.batch_size = 32
  return config
