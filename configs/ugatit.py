r"""Trains U-GAT-IT, light: from photographs of faces to anime pictures, in two unpaired folders.

python -m qm_vae.main --config=configs/ugatit.py:folder --config.data.root=selfie2anime/trainA \
    --config.target_data.root=selfie2anime/trainB --config.image_size=128                       # for a GPU
python -m qm_vae.main --config=configs/ugatit.py:folder ... --config.image_size=64 --config.ugatit.global_layers=6 \
    --config.ugatit.channels=24 --config.epochs=1                                               # a CPU: a short test
WORKDIR/samples has a sheet for every evaluation, WORKDIR/network the generator, for --config.deid.ugatit.checkpoint.
The paper trains a million steps of one picture at 256 pixels.
"""

from configs import default


def get_config(arg=None):
  config = default.get_config(arg)
  config.task = "ugatit"
  config.judges = {}
  config.batch_size = 1
  config.epochs = 300
  config.learning_rate = 1e-4
  config.schedule = "late_linear"
  config.augment_faces.update(flip=0.5, shift=0.05, scale=0.1, contrast=0.0, brightness=0.0)
  config.samples = True
  config.checkpoint_every = 1
  config.evaluate_every = 1
  config.target_data.update(default.get_config(arg).data)
  for data in (config.data, config.target_data):
    data.faces.detector = "none"
    data.faces.eyes = "average"
    data.train_fraction = 0.95
  return config
