"""How new pictures are encoded, and what of the original's look that keeps."""

from typing import NamedTuple

import av
import numpy as np

from qm_vae.deidentify.video import Frame, VideoError
from qm_vae.deidentify.video.codecs import CODECS

QUALITY = {"h264": 20, "hevc": 22, "vp9": 31}
"""Constant rate factors by codec."""

_OPTIONS = {
  "h264": {"preset": "veryfast"},
  "hevc": {"preset": "veryfast"},
  "vp9": {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
  "gif": {},
}
_DEPTHS = {"h264": {10: "yuv420p10le"}, "hevc": {10: "yuv420p10le", 12: "yuv420p12le"}}
_SHAPED = ("h264", "hevc", "gif")  # say in their own data how wide a pixel is
_UNKNOWN = 2  # a colour tag that says nothing
_FULL, _LIMITED = 2, 1
_FULLER = ("422", "440", "444", "gbr", "rgb", "bgr")  # pixel formats with more colour than 4:2:0
_BLOCK = 16  # pixels


_BITS = 0.12  # a pixel, for encoders that have no constant quality


class Wish(NamedTuple):
  """What the user says of the encoder."""

  encoder: str  # as FFmpeg calls it
  quality: int | None = None  # constant rate factor; None for the codec's usual one
  bitrate: int | None = None  # bits a second, instead
  preset: str | None = None  # the encoder's word for its speed


class Plan(NamedTuple):
  """What an encoder is given."""

  pixel_format: str
  depth: int  # bits a sample
  options: dict[str, str]
  colours: dict[str, int]  # the tags that are set
  tag: str  # the codec's name in the container; '' for the usual one
  notes: list[str]
  bitrate: int | None = None  # bits a second; None: by the quality in `options`


def plan(like, codec: str, form: str, wish: Wish) -> Plan:
  """How the pictures of a Reader are encoded.

  Args:
    like: the Reader.
    codec: a name in CODECS.
    form: the container, as FORMATS calls it.
    wish: see Wish.

  Raises:
    VideoError: for an encoder that takes no frames from memory, or has no presets.
  """
  if wish.encoder != CODECS[codec]:
    return _by_encoder(like, codec, form, wish)
  options = dict(_OPTIONS[codec])
  if wish.preset is not None:
    if "preset" not in options:
      raise VideoError(f"{codec} has no presets; leave --preset={wish.preset} out")
    options["preset"] = wish.preset
  if wish.bitrate is not None:
    options.pop("b", None)
  elif codec in QUALITY:
    options["crf"] = str(QUALITY[codec] if wish.quality is None else wish.quality)
  notes, params = [], {"log-level": "error"} if codec == "hevc" else {}
  depth = min([n for n in _DEPTHS.get(codec, {}) if n >= like.depth] or [max(_DEPTHS.get(codec, {8: ""}))])
  depth = depth if like.depth > 8 else 8
  if depth < like.depth:
    notes.append(f"{like.depth} bits a sample became {depth}, the most that {codec} takes here")
  if depth > 8 and codec == "h264":
    notes.append(f"H.264 of {depth} bits, which some players do not show; --codec=hevc is known to more")
  if codec != "gif" and any(kind in like.pixel_format for kind in _FULLER):
    notes.append(f"its colours have half the resolution: {like.pixel_format} became 4:2:0")
  if like.hdr:
    params |= _hdr(like.hdr, codec)
    if codec not in ("h264", "hevc"):
      notes.append(f"its HDR metadata ({', '.join(like.hdr)}) are left out: {codec} has no place for them here")
  if form == "avi":  # which has no times of display: pictures must be stored in their order
    params |= {"bframes": "0"} if codec == "hevc" else {}
    options |= {"bf": "0"} if codec == "h264" else {}
  if params:
    options["x265-params" if codec == "hevc" else "x264-params"] = ":".join(f"{k}={v}" for k, v in params.items())
  notes += _shape(like.sample_aspect_ratio, codec)
  form_8 = "rgb8" if codec == "gif" else "yuv420p"
  tag = "hvc1" if codec == "hevc" and form in ("mp4", "mov") else ""  # hev1 is not shown by Apple's players
  return Plan(
    _DEPTHS.get(codec, {}).get(depth, form_8), depth, options, _colours(like, codec), tag, notes, wish.bitrate
  )


def of_encoder(name: str) -> str:
  """The name in CODECS of what an encoder of FFmpeg writes.

  Raises:
    VideoError: for an encoder that there is not, or of another codec.
  """
  try:
    codec = av.codec.Codec(name, "w").canonical_name
  except ValueError:
    raise VideoError(f"this FFmpeg has no encoder {name!r}; choose another --codec ({', '.join(CODECS)})") from None
  if codec not in CODECS:
    raise VideoError(f"the encoder {name} writes {codec}; choose one of {', '.join(CODECS)}")
  return codec


def _by_encoder(like, codec, form, wish):
  """The plan for another encoder than the usual one, such as a graphics card's: 8 bits, and its own kind of quality."""
  formats = [one.name for one in av.codec.Codec(wish.encoder, "w").video_formats or ()]
  taken = next((form for form in ("yuv420p", "nv12") if form in formats), None)
  if taken is None:
    raise VideoError(f"the encoder {wish.encoder} takes no frames from memory; choose another one")
  options, bitrate = {} if wish.preset is None else {"preset": wish.preset}, wish.bitrate
  quality = str(QUALITY[codec] if wish.quality is None else wish.quality)
  notes = [] if like.depth <= 8 else [f"{like.depth} bits a sample became 8: the encoder is {wish.encoder}"]
  notes += [f"its HDR metadata ({', '.join(like.hdr)}) are left out: the encoder is {wish.encoder}"] if like.hdr else []
  if bitrate is None and wish.encoder.endswith("_nvenc"):
    options |= {"rc": "vbr", "cq": quality, "b": "0"}
  elif bitrate is None and wish.encoder.endswith("_qsv"):
    options |= {"global_quality": quality}
  elif bitrate is None:
    bitrate = round(like.width * like.height * float(like.rate) * _BITS)
    notes.append(f"{bitrate // 1000} kbit/s, since {wish.encoder} has no --quality; --bitrate chooses another rate")
  notes += _shape(like.sample_aspect_ratio, codec)
  tag = "hvc1" if codec == "hevc" and form in ("mp4", "mov") else ""
  return Plan(taken, 8, options, _colours(like, codec), tag, notes, bitrate)


def _colours(like, codec):
  if codec == "gif":
    return {}
  return {tag: value for tag, value in like.colours.items() if value != (0 if tag == "color_range" else _UNKNOWN)}


def _hdr(hdr, codec):
  if codec == "hevc":
    return {"hdr10": "1"} | hdr
  names = {"master-display": "mastering-display", "max-cll": "cll"}
  return {names[name]: value for name, value in hdr.items()} if codec == "h264" else {}


def _shape(aspect, codec):
  if aspect == 1 or codec in _SHAPED:
    return []
  return [
    f"its pixels are {aspect.numerator} : {aspect.denominator}, which {codec} does not say here: players will "
    "show it too narrow or too wide; --codec=h264 keeps its shape where the container takes it"
  ]


def conversion(colours: dict[str, int]) -> dict[str, int]:
  """How RGB becomes what the colour tags say, as VideoFrame.reformat takes it."""
  made = {"dst_color_range": _FULL if colours.get("color_range") == _FULL else _LIMITED}
  return made | ({"dst_colorspace": colours["colorspace"]} if "colorspace" in colours else {})


def deepen(image: np.ndarray, original: Frame) -> np.ndarray:
  """A protected picture with all the bits of the original where it is the original's.

  Args:
    image: uint8 [H, W, 3].
    original: the frame that it was made of, with `deep`.

  Returns:
    uint16 [H, W, 3]; blocks of 16 x 16 pixels in which anything differs from the frame hold the 8 bits of `image`.
  """
  height, width = image.shape[:2]
  changed = (image != original.pixels()).any(-1)
  blocks = np.pad(changed, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
  blocks = blocks.reshape(len(blocks) // _BLOCK, _BLOCK, -1, _BLOCK).any((1, 3))
  mask = blocks.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:height, :width, None]
  return np.where(mask, image.astype(np.uint16) * 257, original.deep())
