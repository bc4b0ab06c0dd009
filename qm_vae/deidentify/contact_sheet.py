"""A contact sheet: what was written, small and on one page."""

import os

import numpy as np

from qm_vae.faces import cropping
from qm_vae.io import images

_CELLS, _COLUMNS, _SIDE = 24, 6, 240  # pictures at most; in a row; pixels of the longer side
_GAP = 6  # pixels between two


class ContactSheet:
  """Pictures spread evenly over however many come: when the sheet is full, every second goes and the step doubles."""

  def __init__(self):
    self._cells, self._step, self._seen = [], 1, 0

  def add(self, image: np.ndarray) -> None:
    """Takes a protected picture uint8 [H, W, 3] into account."""
    if self._seen % self._step == 0:
      if len(self._cells) == _CELLS:
        self._cells = self._cells[::2]
        self._step *= 2
      if self._seen % self._step == 0:
        self._cells.append(cropping.shrink(image, _SIDE))
    self._seen += 1

  def write(self, path: str | os.PathLike) -> None:
    """Writes the sheet as a picture; nothing where no picture came."""
    if not self._cells:
      return
    height, width = (max(cell.shape[axis] for cell in self._cells) + _GAP for axis in (0, 1))
    columns = min(_COLUMNS, len(self._cells))
    page = np.full((-(-len(self._cells) // columns) * height, columns * width, 3), 255, np.uint8)
    for i, cell in enumerate(self._cells):
      top, left = i // columns * height, i % columns * width
      page[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    images.write_image(path, page)
