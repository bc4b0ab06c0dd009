r"""The paper's headline run: alpha = 0.4, 40 epochs, 800 training faces (Qiu et al. 2022, Sec. 5.3).

python -m qm_vae.main --config=configs/alpha04.py               # embedded synthetic faces
python -m qm_vae.main --config=configs/alpha04.py:celeba_folder --config.data.root=CELEBA \
    --config.service.checkpoint=NETWORK --config.judges.second.checkpoint=OTHER_NETWORK
The paper reports a loss rate of 0.14 (Sec. 5.3); here it is about 0.32 on drawn faces and 0.31 on CelebA's first
thousand (docs/results.md). The report shows the judges' rate next to it.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.alpha = 0.4
  config.epochs = 40
  return config
