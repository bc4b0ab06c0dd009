r"""A stranger's face in the person's position, pose and light (docs/private.md).

python -m qm_vae.main --config=configs/private.py:celeba_folder --config.data.root=CELEBA \
    --config.landmarks=LANDMARKS --config.service.checkpoint=NETWORK --config.ensemble.other.checkpoint=SECOND \
    --config.judges.second.checkpoint=THIRD
The only view is a mean of other people's faces, warped into the shape of the face; nothing else of the person enters.
The network learns what averaging removes: texture, and what the service needs. Of the shape two components are left,
little more than the pose; twelve (--config.deid.warped_mean.components=12) follow mouth and brows more closely
and leave more of the person. --config.composite.region=crop hides hair and background of the crop too.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  if arg in ("celeba_folder", "celeb_a"):
    config.data.update(limit=0, split="identity", train_fraction=0.7)  # all faces, and people who trained nothing
  config.alpha = 0.4
  config.epochs = 16
  config.schedule = "cosine"
  config.views = ("warped_mean",)
  config.deid.warped_mean.update(context="hide", light="none", components=2)
  config.model.refine = True
  config.condition.update(answer="class", soft=True, drop=0.0)
  config.composite.region = "face"
  config.service_weight = 0.012
  config.augment_before_service.update(channels=1.0, jpeg=0.3)
  config.augment_faces.update(contrast=0.0, brightness=0.0)  # an output is judged by its light
  config.ensemble.other = default.network("resnet", seed=2)
  config.terms.ensemble.weight = 0.004
  config.terms.perceptual.weight = 0.01
  config.terms.discriminator.update(weight=1.0, adaptive=True, hidden=32)
  return config
