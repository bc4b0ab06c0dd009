r"""The paper's grid: alpha 0 to 1 by 0.1, at 10, 20, 30 and 40 epochs (Qiu et al. 2022, Table 1 and Fig. 6).

python -m launch.sweep --config=configs/table1.py               # prints the eleven commands; --runner=grid trains them
One run of 40 epochs gives its row: the loss rates after 10, 20 and 30 epochs are in its metrics.jsonl and report.
"""

from configs import default

ALPHAS = tuple(round(0.1 * i, 1) for i in range(11))


def get_config(arg=None):
  config = default.get_config(arg)
  config.epochs = 40
  return config


def sweep():
  for alpha in ALPHAS:
    yield {"alpha": alpha}
