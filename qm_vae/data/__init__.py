"""Datasets: name -> `make(**options) -> types.Source`.

A factory is marked with `options.member`, declares its options in its signature, and may declare these traits:

  place              the keyword by which it takes the folder or file that it is read from
  has_default_place  the place may stay empty
  labelled           its records may carry expression labels
  terms              where its pictures come from and on what terms, for model cards
  published          options that give its own training records, and those that give its test records
"""

from qm_vae.registry import Registry

DATASETS = Registry(
  "dataset",
  {
    "synthetic": "qm_vae.data.synthetic:make",
    "folder": "qm_vae.data.folder:make",
    "celeb_a": "qm_vae.data.celeb_a:make",
    "celeba_folder": "qm_vae.data.celeba_folder:make",
    "lfw": "qm_vae.data.lfw:make",
    "fer2013": "qm_vae.data.fer2013:make",
  },
  group="qm_vae.datasets",
)
