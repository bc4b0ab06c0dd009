r"""Number of fused views: three, four and five (Qiu et al. 2022, Fig. 12).

python -m launch.sweep --config=configs/inputs.py -- --config.deid.amt_gan.checkpoint=NETWORK
Prints the three commands; --runner=local runs them. The paper's fifth input is AMT-GAN: train it with
configs/amt_gan.py, or convert a public one with python -m qm_vae.convert torch-amtgan. Without NETWORK the run with
five inputs fails.
"""

from configs import default

FOUR = ("blindfold", "mosaic", "laplace", "cartoon")


def get_config(arg=None):
  config = default.get_config(arg)
  config.alpha = 0.4
  config.epochs = 40
  return config


def sweep():
  for views in (FOUR[:3], FOUR, (*FOUR, "amt_gan")):
    yield {"views": views}
