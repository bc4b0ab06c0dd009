r"""Privacy against utility: the private modes, the paper's, and classical de-identifiers, each attacked.

python -m launch.sweep --config=configs/frontier.py:celeba_folder --runner=local -- --config.data.root=CELEBA \
    --config.service.checkpoint=NETWORK --config.ensemble.other.checkpoint=SECOND \
    --config.judges.second.checkpoint=THIRD --config.privacy.data.name=celeba_folder \
    --config.privacy.data.root=CELEBA --config.privacy.embedders="('RECOGNISER',)"
Writes frontier.png next to the runs: an independent judge's loss rate against re-identification at rank 1.
"""

from configs import default, one_code, private
from qm_vae.experiments import schema

BASELINES = (
  "mosaic:block=4", "mosaic:block=16", "blur:sigma=2.0", "blur:sigma=4.0", "blur:sigma=8.0",
  "laplace:scale=4.0", "laplace:scale=16.0", "laplace:scale=64.0",
)  # fmt: skip


def get_config(arg=None):
  config = one_code.get_config(arg)
  config.baselines = BASELINES
  return config


def sweep():
  """The stranger's face, codes released at four strengths and with more of them, and the paper's mode."""
  yield _instead(private.get_config())
  for epsilon in (0.1, 0.7, 3.0):
    yield {"release.epsilon": epsilon}
  yield {"release.mechanism": "none"}
  yield {"release.mechanism": "none", "model.tokens": 4}
  yield _instead(default.get_config()) | {"alpha": 0.4}


def _instead(other):
  """The overrides that make this experiment another one; epochs, networks and baselines stay those of this one."""
  here, there = (schema.flatten(schema.plain(schema.view(one))) for one in (get_config(), other))
  kept = ("epochs", "baselines", "ensemble.", "judges.", "service.", "data.", "service_data.")
  return {key: value for key, value in there.items() if here.get(key) != value and not key.startswith(kept)}
