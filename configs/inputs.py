r"""How many views are fused: three, four and five (Qiu et al. 2022, Fig. 12).

python -m launch.sweep --config=configs/inputs.py               # prints the three commands; --runner=local runs them
The paper's fifth input is AMT-GAN; a Gaussian blur stands in for it here, so the last row cannot be compared with it.
"""

from configs import default

FOUR = ("blindfold", "mosaic", "laplace", "cartoon")


def get_config(arg=None):
  config = default.get_config(arg)
  config.alpha = 0.4
  config.epochs = 40
  return config


def sweep():
  for views in (FOUR[:3], FOUR, (*FOUR, "blur")):
    yield {"views": views}
