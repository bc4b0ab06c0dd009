"""Datasets: name -> `make(**options) -> types.Source`."""

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
