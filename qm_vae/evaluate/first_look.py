"""The faces that a report shows before any number."""

from collections.abc import Mapping

import numpy as np

from qm_vae.evaluate.report_files import YARDSTICK
from qm_vae.faces import cropping
from qm_vae.training.state import Split

LOOKED_AT = 8
"""Faces of the page's first picture, half of them in their frames."""

FRAME_SIDE = 192
"""Pixels, longer side of those frames."""


def pictures(data: Split, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Evenly spaced test faces as they were, as QM-VAE makes them and as the aligned mean: crops, then whole frames.

  Args:
    data: whose test faces these are.
    images: {method: uint8 [N, S, S, 3]} with qm_vae and the yardstick, of every test face.

  Returns:
    `look_*` and `look_frames_*` of evaluation.npz, uint8 [E, H, W, 3]; {} without the yardstick.
  """
  if YARDSTICK not in images:
    return {}
  test = data.test
  rows = np.unique(np.linspace(0, len(test) - 1, LOOKED_AT).round().astype(int))
  methods = {"original": test.image, "output": images["qm_vae"], "mean": images[YARDSTICK]}
  found = {f"look_{name}": image[rows] for name, image in methods.items()}
  for name, image in methods.items():
    frames = []
    for i in rows[::2]:
      frame = data.test_source[int(test.index[i])].image
      pasted = frame if name == "original" else cropping.paste(frame, image[i], test.box[i])
      frames.append(cropping.shrink(pasted, FRAME_SIDE))
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    filled = np.full((len(frames), height, width, 3), 255, np.uint8)
    for canvas, frame in zip(filled, frames, strict=True):
      canvas[: frame.shape[0], : frame.shape[1]] = frame
    found[f"look_frames_{name}"] = filled
  return found
