"""What an image file holds besides the 8 bits of red, green and blue that are read: its colour profile, and losses."""

import os
from typing import NamedTuple

import numpy as np

from qm_vae.io import icc, images

_PNG_DEPTH, _TIFF_DEPTH = 24, 258  # byte of the head, tag
_COLOURED = ("RGB", "RGBA", "RGBX", "P", "PA")


class Contents(NamedTuple):
  """What `read` returns."""

  profile: bytes  # made anew, for a picture of these colours; b"" for sRGB
  convert: bytes  # the original's profile, where colours must be converted (icc.to_srgb) before they are written
  notes: list[str]  # what a uint8 RGB picture without a profile of the original's own loses


def read(path: str | os.PathLike) -> Contents:
  """What becomes of an image file's contents when its first picture is written anew.

  Args:
    path: a file that `images.read_image` reads.

  Raises:
    UnreadableImage: as `images.read_image` does.
  """
  with images.opened(path) as image:
    notes = _lost(path, image)
    given = image.info.get("icc_profile") or b""
    if not given:
      return Contents(b"", b"", notes)
    if image.mode not in _COLOURED:
      return Contents(b"", b"", [*notes, f"its colour profile, of {image.mode} colours, was left out"])
  try:
    return Contents(icc.rebuilt(given), b"", notes)
  except icc.Unusable as error:
    reason = str(error)
  try:
    icc.to_srgb(np.zeros((1, 1, 3), np.uint8), given)
  except icc.Unusable as error:
    return Contents(b"", b"", [*notes, f"its colour profile was left out: {error}"])
  return Contents(b"", given, [*notes, f"its colours became sRGB, and its colour profile was left out: {reason}"])


def _lost(path, image):
  notes, pages = [], getattr(image, "n_frames", 1)
  if pages > 1:
    notes.append(f"{pages - 1} further pages or frames were left out")
  if (depth := _depth(path, image)) > 8:
    notes.append(f"{depth} bits a channel became 8")
  if image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
    notes.append("what is transparent was laid on white")
  if image.mode in ("CMYK", "LAB", "HSV"):
    notes.append(f"its {image.mode} colours became RGB")
  return notes


def _depth(path, image):
  """Bits of a channel as the file has them; Pillow reads some forms of 16 as 8 without a word."""
  if image.mode.startswith("I;16"):
    return 16
  if image.format == "PNG":
    with open(path, "rb") as file:
      return file.read(_PNG_DEPTH + 1)[_PNG_DEPTH]
  if image.format == "TIFF":
    found = getattr(image, "tag_v2", {}).get(_TIFF_DEPTH, 8)
    return max(found) if isinstance(found, tuple) else int(found)
  return int(image.info.get("bit_depth") or 8)  # of HEIF
