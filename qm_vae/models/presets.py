"""The sizes that the VQ-VAE comes in."""

from typing import NamedTuple


class Preset(NamedTuple):
  """Widths of one encoder-decoder pair, in channels."""

  hidden: int
  residual_hidden: int
  residual_blocks: int


PRESETS = {
  "paper": Preset(hidden=128, residual_hidden=32, residual_blocks=2),  # van den Oord's CIFAR network
  # 82 MFLOP forward at 64 x 64, four views; 49 by winograd.py
  "small": Preset(hidden=48, residual_hidden=16, residual_blocks=2),
}
