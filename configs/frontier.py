r"""The frontier: the private mode at several strengths, the paper's mode, and classical de-identifiers, each attacked.

python -m launch.sweep --config=configs/frontier.py:celeba_folder --runner=local -- --config.data.root=CELEBA \
    --config.service.checkpoint=NETWORK --config.ensemble.other.checkpoint=SECOND \
    --config.judges.second.checkpoint=THIRD --config.privacy.data.name=celeba_folder \
    --config.privacy.data.root=CELEBA --config.privacy.embedders="('RECOGNISER',)"
Writes frontier.png beside the runs: what an independent recogniser no longer reads against who is still named.
"""

import functools
import operator

from configs import default, private

BASELINES = (
  "mosaic:block=4", "mosaic:block=16", "blur:sigma=2.0", "blur:sigma=4.0", "blur:sigma=8.0",
  "laplace:scale=4.0", "laplace:scale=16.0", "laplace:scale=64.0",
)  # fmt: skip


def get_config(arg=None):
  config = private.get_config(arg)
  config.baselines = BASELINES
  return config


def sweep():
  """Released at four strengths, with more codes, and the paper's mode, which receives no answer."""
  for epsilon in (0.1, 0.7, 3.0):
    yield {"release.epsilon": epsilon}
  yield {"release.mechanism": "none"}
  yield {"release.mechanism": "none", "model.tokens": 4}
  yield _paper()


def _paper():
  plain = default.get_config()
  keys = (
    "alpha", "views", "service_weight", "condition.answer", "model.tokens", "quantizer.vq.num_codes",
    "release.mechanism", "terms.ensemble.weight", "terms.discriminator.weight",
  )  # fmt: skip
  return {key: functools.reduce(operator.getitem, key.split("."), plain) for key in keys} | {"alpha": 0.4}
