r"""A formal guarantee: the decoder receives the service's answer and almost nothing else (docs/private.md).

python -m qm_vae.main --config=configs/one_code.py               # embedded synthetic faces
python -m qm_vae.main --config=configs/one_code.py:celeba_folder --config.data.root=CELEBA \
    --config.service.checkpoint=NETWORK --config.ensemble.other.checkpoint=SECOND \
    --config.judges.second.checkpoint=THIRD
One code of 64 determines the output. The exponential mechanism with epsilon 0.1 draws it almost at random: whatever
attackers know, it raises their chances by about a tenth over guessing. The answer is released unchanged.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.alpha = 0.5
  config.epochs = 40
  config.views = ("blindfold", "mosaic", "cartoon")  # Laplace noise hides nobody
  config.condition.answer = "class"
  config.condition.other = 0.2
  config.model.tokens = 1
  config.quantizer.vq.num_codes = 64
  config.release.mechanism = "exponential"
  config.release.epsilon = 0.1
  # The decoder receives the answer, so the service need not distort the picture: an eighth of the paper's weight does.
  config.service_weight = 0.004
  config.augment_before_service.update(channels=1.0, jpeg=0.3)
  config.ensemble.other = default.network("resnet", seed=2)
  config.terms.ensemble.weight = 0.002
  config.terms.discriminator.weight = 0.001
  return config
