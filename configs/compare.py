r"""Every method on the same people, none of whom trained anything: the tables of docs/results.md.

python -m qm_vae.main --config=configs/compare.py:celeba_folder --config.data.root=CELEBA \
    --config.landmarks=LANDMARKS --config.service.checkpoint=NETWORK --config.judges.second.checkpoint=FER2013_JUDGE \
    --config.judges.lfw.checkpoint=LFW_JUDGE --config.judges.smiles.checkpoint=SMILES \
    --config.privacy.embedders="('RECOGNISER',)"
python -m qm_vae.main --config=configs/compare.py:celeba_folder-private ... --config.ensemble.other.checkpoint=SECOND
The paper's mode for as many steps as in configs/alpha04.py, on 70 % of the people; the views, classical methods and
means of other people's faces beside it. With `-private` or `-one_code` after the data, that mode on the same people,
with the same judges. LFW_JUDGE comes from configs/expression.py:folder, SMILES from configs/attributes.py, both with
the same split.
"""

from configs import alpha04, default, one_code, private

BASELINES = (
  "solid", "blur:sigma=4.0", "aligned_mean:context=hide,light=0", "warped_mean:context=hide,light=none",
  "warped_mean:context=hide,light=none,components=2", "warped_mean:context=keep,light=color",
  "warped_mean:context=keep,light=color,components=2",
)  # fmt: skip
MODES = {"private": private, "one_code": one_code}


def get_config(arg=None):
  data, _, mode = (arg or "").partition("-")
  config = MODES[mode].get_config(data) if mode in MODES else alpha04.get_config(arg)
  if mode not in MODES:
    config.baselines = BASELINES
  config.privacy.attackers = ("naive", "linkage", "ridge")
  if data in ("celeba_folder", "celeb_a"):
    config.data.update(limit=0, split="identity", train_fraction=0.7)
    if mode != "private":
      config.epochs = 7  # of six times as many faces
    config.judges.lfw = default.network("resnet", seed=1)
    config.judges.smiles = default.network("resnet", seed=1)
  return config
