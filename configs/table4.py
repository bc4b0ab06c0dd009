r"""Effect of the reconstruction term: coefficient 1 - alpha of the MSE at 0, 0.2, 0.5, 0.8 and 1 (Table 4, Fig. 11).

python -m launch.sweep --config=configs/table4.py               # prints the five commands; --runner=grid trains them
Expect: at coefficient 0 (alpha = 1) the picture collapses (Fig. 11).
"""

from configs import default

MSE_COEFFICIENTS = (0.0, 0.2, 0.5, 0.8, 1.0)


def get_config(arg=None):
  config = default.get_config(arg)
  config.epochs = 40
  return config


def sweep():
  for coefficient in MSE_COEFFICIENTS:
    yield {"alpha": round(1 - coefficient, 1)}
