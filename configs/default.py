"""The paper's setting on any dataset; the experiments beside this file override a few keys.

Every key, with its default, its unit and what it may hold, is listed in qm_vae/experiments/schema/config.py. A file's
argument chooses the data: `configs/alpha04.py` uses the embedded synthetic faces, `configs/alpha04.py:celeba_folder` a
CelebA folder, and so on for every name in ARGUMENTS; `configs/alpha04.py:celeba_folder-paper` takes the paper's scale,
128 pixels and the views of its Table 2 (configs/paper.py). Single keys are overridden on the command line:
`--config.alpha=0.2 --config.data.root=/data/celeba`.
"""

import ml_collections

from qm_vae.arguments import nearest
from qm_vae.errors import InputError
from qm_vae.experiments import schema
from qm_vae.experiments.schema.config import Config
from qm_vae.experiments.schema.data import Dataset, Faces
from qm_vae.experiments.schema.fields import plain
from qm_vae.experiments.schema.networks import Network

ARGUMENTS = ("synthetic", "folder", "celeb_a", "celeba_folder", "lfw", "fer2013")

_LIMIT = {"synthetic": 600, "celeb_a": 1000, "celeba_folder": 1000}
"""First records used. The paper has 1000; 600 drawn faces keep the embedded default short on two cores."""

_SPLIT = {"fer2013": "published", "celeba_folder": "order", "celeb_a": "order"}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
  """The paper's setting on the dataset called `arg` (synthetic when empty), with `-paper` after it at its own scale.

  Raises:
    InputError: for a dataset or a scale that there is not.
  """
  arg, _, scale = (arg or "").partition("-")
  arg = arg or "synthetic"
  if arg not in ARGUMENTS:
    raise InputError(
      f"no dataset is called {arg!r}; {nearest(arg, ARGUMENTS)}write configs/FILE.py:NAME with one of "
      f"{', '.join(ARGUMENTS)}"
    )
  if scale not in ("", "paper"):
    raise InputError(f"no scale is called {scale!r}; write configs/FILE.py:{arg} or configs/FILE.py:{arg}-paper")
  config = schema.config_dict(Config(data=dataset(arg)))
  if arg == "synthetic":
    # The networks of the drawn faces learn from other drawn people than those of the run.
    config.service_data.update(plain(dataset("synthetic")))
    config.service_data.options.synthetic.update(num_people=900, images_per_person=4, first_person=100_000)
    config.service_data.update(limit=0, train_fraction=0.9)
    config.service_data.faces.eyes = "average"
  else:
    config.privacy.embedders = ()  # a recogniser must be given: none is trained on the people who are attacked
  if scale:
    from configs import paper  # here, since that file begins with this one

    paper.apply(config)
  return config


def dataset(name: str) -> Dataset:
  """The keys of the dataset called `name`, as the paper uses it."""
  faces = Faces(detector="none", eyes="average") if name == "fer2013" else Faces()
  return Dataset(name=name, limit=_LIMIT.get(name, 0), split=_SPLIT.get(name, "identity"), faces=faces)


def network(architecture: str, seed: int) -> ml_collections.ConfigDict:
  """The keys of an expression network: the service, a judge, one of the ensemble."""
  return ml_collections.ConfigDict(plain(Network(architecture=architecture, seed=seed)))


def share_schedule(config: ml_collections.ConfigDict, group: str) -> None:
  """Lets --config.KEY and --config.GROUP.KEY be the same value, for runs that train the network of `group`."""
  for key in ("seed", "epochs", "batch_size", "learning_rate"):
    config[key] = config[group][key]
    config[group][key] = config.get_ref(key)
