"""TensorBoard's event files, in WORKDIR/tensorboard."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from qm_vae.options import member


class Tensorboard:
  """See `MetricWriter`."""

  def __init__(self, folder: pathlib.Path):
    import tensorboardX

    self._board = tensorboardX.SummaryWriter(str(folder))

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """See `MetricWriter`."""
    for name, value in scalars.items():
      self._board.add_scalar(name, value, step)

  def write_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
    """See `MetricWriter`."""
    for name, image in images.items():
      self._board.add_image(name, image, step, dataformats="HWC")

  def close(self) -> None:
    """See `MetricWriter`."""
    self._board.close()


@member(package="tensorboardX", remedy="pip install tensorboardX", pictures=True)
def make(workdir: str | os.PathLike, hparams: Mapping[str, Any]) -> Tensorboard:
  """Scalars and pictures in WORKDIR/tensorboard; `tensorboard --logdir=WORKDIR` shows them."""
  del hparams
  return Tensorboard(pathlib.Path(workdir) / "tensorboard")
