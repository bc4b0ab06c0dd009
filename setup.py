"""Puts configs/ and launch/, at the top of a clone, inside the installed package; pyproject.toml has the rest."""

from setuptools import find_packages, setup

setup(
  packages=[*find_packages(include=["qm_vae", "qm_vae.*"]), "qm_vae.configs", "qm_vae.launch"],
  package_dir={"qm_vae.configs": "configs", "qm_vae.launch": "launch"},
)
