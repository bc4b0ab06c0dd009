"""How a decoded frame is stored: which way up, in which colours, how deep, and what of it no copy keeps."""

import math
import struct
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type

INTERLACED = "it is interlaced: both fields of a frame are written as one progressive picture"
_COLOURS = ("colorspace", "color_range", "color_primaries", "color_trc")
_UNKNOWN = 2  # a colour tag that says nothing
_SLACK = 0.02  # of a display matrix's entries, for rounding: a degree
_EXTRAS = {
  Type.A53_CC: "closed captions",
  Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
  Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
  Type.DOVI_METADATA: "Dolby Vision metadata",
  Type.DOVI_RPU_BUFFER: "Dolby Vision metadata",
  Type.AMBIENT_VIEWING_ENVIRONMENT: "the HDR ambient light",
  Type.STEREO3D: "the mark of stereoscopic pictures",
  Type.SPHERICAL: "the mark of spherical pictures",
  Type.S12M_TIMECODE: "time codes",
  Type.GOP_TIMECODE: "time codes",
  Type.ICC_PROFILE: "the colour profile",
}
"""Of a frame's side data, what people may miss; camera's own words (unregistered SEI) are metadata and never kept."""


class Turn(NamedTuple):
  """What brings a stored picture upright: first transposed, then mirrored."""

  transposed: bool = False
  from_right: bool = False
  from_below: bool = False
  note: str = ""

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """The upright picture [H, W, C] of a stored one, contiguous."""
    image = image.swapaxes(0, 1) if self.transposed else image
    image = image[:, ::-1] if self.from_right else image
    return np.ascontiguousarray(image[::-1] if self.from_below else image)


def turn(picture: av.VideoFrame) -> Turn:
  """What a frame's display matrix (ISO 14496-12, 6.2.2) asks for; one of no quarter turns is left, with a note."""
  data = _side(picture, Type.DISPLAYMATRIX)
  if data is None:
    return Turn()
  matrix = struct.unpack("=9i", data[:36])
  a, b, c, d = (matrix[i] / 65536 for i in (0, 1, 3, 4))
  size = max(map(abs, (a, b, c, d))) or 1
  straight, crossed = (math.hypot(*pair) <= _SLACK * size for pair in ((b, c), (a, d)))
  if straight == crossed:
    return Turn(
      note=f"its display matrix turns it by {picture.rotation} degrees, no quarter turn: shown as it is stored"
    )
  x, y = (a, d) if straight else (c, b)
  made = Turn(crossed, x < 0, y < 0)
  degrees = picture.rotation % 360
  mirrored = (made.transposed + made.from_right + made.from_below) % 2
  if mirrored:
    return made._replace(note="mirrored and turned upright, as its display matrix asked; the matrix is gone")
  note = f"turned by {degrees} degrees, as its rotation mark asked; the mark is gone" if degrees else ""
  return made._replace(note=note)


class Stored(NamedTuple):
  """What is known of a video's frames from its first one."""

  turn: Turn
  pixel_format: str
  depth: int  # bits a sample
  colours: dict[str, int]  # the video's tags
  hdr: dict[str, str]  # mastering display and content light, as x265 calls and writes them
  notes: list[str]


def describe(picture: av.VideoFrame) -> Stored:
  """What a video's first frame tells of it."""
  shape = picture.format
  depth = max((component.bits for component in shape.components), default=8)
  colours = {tag: int(getattr(picture, tag)) for tag in _COLOURS}
  if shape.is_rgb:  # what is written is not
    colours |= {"colorspace": _UNKNOWN, "color_range": 0}
  turned, notes = turn(picture), []
  notes += [turned.note] if turned.note else []
  if any(component.is_alpha for component in shape.components):
    notes.append("its transparency is left out: what was transparent is opaque")
  notes += [INTERLACED] if picture.interlaced_frame else []
  seen = {_EXTRAS[one.type] for one in _all_sides(picture) if one.type in _EXTRAS}
  notes += [f"{what} of its frames: left out" for what in sorted(seen)]
  return Stored(turned, shape.name, depth, colours, _hdr(picture), notes)


def _hdr(picture) -> dict[str, str]:
  made: dict[str, Any] = {}
  if (data := _side(picture, Type.MASTERING_DISPLAY_METADATA)) is not None and len(data) >= 88:
    numbers = struct.unpack("=22i", data[:88])
    values = [top / bottom if bottom else 0 for top, bottom in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    if numbers[20] and numbers[21]:
      red, green, blue, white = (_point(values[i : i + 2]) for i in (0, 2, 4, 6))
      light = f"({round(values[9] * 10_000)},{round(values[8] * 10_000)})"
      made["master-display"] = f"G{green}B{blue}R{red}WP{white}L{light}"
  if (data := _side(picture, Type.CONTENT_LIGHT_LEVEL)) is not None and len(data) >= 8:
    made["max-cll"] = "{},{}".format(*struct.unpack("=2I", data[:8]))
  return made


def _point(pair):
  return f"({round(pair[0] * 50_000)},{round(pair[1] * 50_000)})"  # units of 0.00002, as in SEI (H.265, D.2.28)


def _all_sides(picture):
  # Iterating gives what is stored before PyAV 19, its kinds from then on; positions mean the same in both.
  return [picture.side_data[i] for i in range(len(picture.side_data))]


def _side(picture, kind):
  for one in _all_sides(picture):
    if one.type == kind:
      return bytes(one)
  return None
