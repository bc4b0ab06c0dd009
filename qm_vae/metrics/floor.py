"""Disturbances that change nothing for the eye: what an instrument reads from them is its noise floor."""

import numpy as np

from qm_vae.io import images


def shift(image: np.ndarray) -> np.ndarray:
  """Images uint8 [N, H, W, 3] moved one pixel to the right; the first column is repeated."""
  return np.concatenate([image[:, :, :1], image[:, :, :-1]], axis=2)


def jpeg(image: np.ndarray) -> np.ndarray:
  """Images uint8 [N, H, W, 3] after JPEG compression of quality 95, without chroma subsampling."""
  return np.stack([images.through_jpeg(one, quality=95) for one in image])


DISTURBANCES = {"jpeg95": jpeg, "shift1": shift}
"""Each uint8 [N, H, W, 3] -> the same shape and type. A shift by one pixel is itself read by what compares places:
`landmark_error` and PSNR contain it, `expression_error` and head pose do not."""
