"""What the rivals' runs refuse, and whose faces they take."""

import numpy as np
import pytest

from configs import amt_gan, ugatit
from qm_vae.experiments import assemble, provenance
from qm_vae.io import images


def folders(tmp_path, config, count=(6, 4)):
  random = np.random.default_rng(0)
  for name, number, data in zip("AB", count, (config.data, config.target_data), strict=True):
    (tmp_path / name).mkdir()
    for i in range(number):
      images.write_png(tmp_path / name / f"{i}.png", random.integers(0, 256, (32, 32, 3), np.uint8))
    data.root, data.train_fraction, data.faces.detector, data.faces.eyes = str(tmp_path / name), 0.5, "none", "average"
  config.cache_dir, config.image_size, config.batch_size = str(tmp_path / "cache"), 32, 2
  return config


def test_rivals_run_ugatit_takes_two_folders(tmp_path):
  """Ugatit takes two folders."""
  config = folders(tmp_path, ugatit.get_config("folder"))
  with pytest.raises(ValueError, match=r"image_size is 32, but a discriminator of 7 layers needs 128 pixels"):
    assemble.experiment(config)
  config.ugatit.global_layers = config.ugatit.local_layers = 5
  found = assemble.experiment(config)
  assert (len(found.data.train), len(found.data.train.second), len(found.data.test), found.data.num_records) == (
    3,
    2,
    3,
    10,
  )
  message = provenance.digests(config, found)
  images.write_png(tmp_path / "B" / "0.png", np.zeros((32, 32, 3), np.uint8))
  assert provenance.digests(config, assemble.experiment(config))["train"] != message["train"] or (
    provenance.digests(config, assemble.experiment(config))["test"] != message["test"]
  )
  config.target_data.name = ""
  with pytest.raises(ValueError, match=r"target_data.name is ''.*ugatit"):
    assemble.experiment(config)


def test_rivals_run_amt_gan_wants_recogniser(tmp_path):
  """Amt gan wants a recogniser."""
  config = folders(tmp_path, amt_gan.get_config("folder"))
  with pytest.raises(ValueError, match=r"amt_gan.embedders is \(\).*torch-mobilefacenet"):
    assemble.experiment(config)
