r"""Everything once, on little data, in about a minute: a check that an installation works, not a result.

python -m qm_vae.main --config=configs/smoke.py
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.image_size = 32
  config.epochs = 2
  config.checkpoint_every = 1
  config.log_every = 2
  config.data.limit = 84
  config.data.options.synthetic.frame_size = 64
  config.quantizer.vq.num_codes = 64
  config.service_data.options.synthetic.update(num_people=42, images_per_person=4, frame_size=64)
  for network in (config.service, *config.judges.values()):
    network.epochs = 1
    network.batch_size = 32
  return config
