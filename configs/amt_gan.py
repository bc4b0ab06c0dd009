r"""Trains AMT-GAN: transfers make-up to plain faces so that recognisers see one chosen person in all of them.

python -m qm_vae.main --config=configs/amt_gan.py:celeba_folder --config.data.root=CELEBA \
    --config.target_data.root=CELEBA --config.amt_gan.embedders="('networks/mobilefacenet',)"
CelebA's attribute Heavy_Makeup separates the two kinds; with `:folder` give two folders. WORKDIR/samples has a sheet
for every evaluation, WORKDIR/network the generator, for --config.deid.amt_gan.checkpoint. The paper trains at 256
pixels on the MT dataset, against three recognisers; on a CPU --config.amt_gan.channels=16 and --config.amt_gan.blocks=1
show that it trains.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.task = "amt_gan"
  config.judges = {}
  config.batch_size = 4  # at least 2, so that every step finds new pairs
  config.epochs = 50
  config.learning_rate = 2e-4
  config.samples = True
  config.checkpoint_every = 1
  config.evaluate_every = 1
  config.data.limit = 0
  config.target_data.update(config.data)
  config.data.options.celeba_folder.having = "-Heavy_Makeup"
  config.target_data.options.celeba_folder.having = "Heavy_Makeup"
  return config
