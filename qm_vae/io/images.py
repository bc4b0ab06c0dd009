"""Image files of any common form as uint8 RGB."""

import contextlib
import functools
import importlib
import io
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from qm_vae import types
from qm_vae.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif")
"""Endings of the files that count as images, compared in lower case."""

HEIF = (".heic", ".heif")
"""Of them those that the package pillow-heif reads, where it is installed."""

MAX_PIXELS = 64 * 10**6
"""Of one picture: more could be a decompression bomb, and takes a gigabyte while it is read."""

_EXIF_BLOCK, _GPS_BLOCK = 0x8769, 0x8825
_MAKER_NOTE = 0x927C  # of the camera's own form; it may hold a small copy of the picture
_INTEROPERABILITY = 0xA005  # a place in the original file
_WORDS = {
  0x010E,  # ImageDescription
  0x010F,  # Make
  0x0110,  # Model
  0x011A,  # XResolution
  0x011B,  # YResolution
  0x0128,  # ResolutionUnit
  0x0131,  # Software
  0x0132,  # DateTime
  0x013B,  # Artist
  0x8298,  # Copyright
  *range(0x9C9B, 0x9CA0),  # XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject
}
"""Of the first block, which in a TIFF also says how its pixels are stored, and holds small copies of the picture."""
_BLOCKS = {
  _EXIF_BLOCK: {0x829A, 0x829D, *range(0x8822, 0x8836), *range(0x9000, 0x9406), *range(0xA000, 0xA501)}
  - {_MAKER_NOTE, _INTEROPERABILITY},
  _GPS_BLOCK: set(range(0x20)),
}
"""The tags of the Exif standard (CIPA DC-008), by block."""
_LONGEST = 2000  # bytes or numbers of one tag; what is longer could be a picture


def read_image(file: str | os.PathLike | BinaryIO, name: str | None = None) -> np.ndarray:
  """The first frame of an image file.

  The orientation that a camera noted (EXIF) is applied, 16-bit samples are scaled to 8 bits, what is transparent is
  laid on white, greyscale, palette and CMYK images become RGB. Colour profiles are not applied. A truncated file is
  refused, never filled up.

  Args:
    file: a path, or an open binary file.
    name: what the error calls the image; the path when absent.

  Returns:
    uint8 [H, W, 3] RGB.

  Raises:
    UnreadableImage: with the reason, where the file is missing, empty, truncated, no image, larger than
      MAX_PIXELS, or of floating-point or 32-bit samples, whose white is unknown.
  """
  name = str(file) if name is None else name
  try:
    return _decode(file)
  # Pillow's decoders raise what their format's parser happens to: OSError, SyntaxError, struct.error, IndexError, ...
  except Exception as error:
    raise types.UnreadableImage(name, _reason(file, error)) from error


def _decode(file):
  _with_heif(file)
  with Image.open(file) as image:
    _check_pixels(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
      grey = np.asarray(image).astype(np.uint32)
      return np.repeat(((grey + 128) // 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
      raise InputError("its samples are 32-bit, so that white is unknown; save it with 8 or 16 bits a channel")
    if image.has_transparency_data:
      image = image.convert("RGBA")
      image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _with_heif(file):
  """Teaches Pillow to read HEIC, when such a file comes first; without the package it does not know the form."""
  if _is_heif(file):
    can_read_heif()


def _is_heif(file):
  return isinstance(file, str | os.PathLike) and os.path.splitext(file)[1].lower() in HEIF


@functools.cache
def can_read_heif() -> bool:
  """Whether the package pillow-heif is installed; from then on Pillow reads and writes HEIC by it."""
  try:
    importlib.import_module("pillow_heif").register_heif_opener()
  except ImportError:
    return False
  return True


def _check_pixels(image):
  if image.width * image.height > MAX_PIXELS:
    raise Image.DecompressionBombError


def _reason(file, error):
  if isinstance(error, OSError) and error.strerror:
    return f"cannot be opened: {error.strerror.lower()}"
  if isinstance(error, Image.UnidentifiedImageError):
    if _is_heif(file) and not can_read_heif():
      return "HEIC is read by the package pillow-heif, which is not installed: pip install pillow-heif"
    return "the file is empty" if _is_empty(file) else "not an image, or of an unknown format"
  if isinstance(error, Image.DecompressionBombError):
    return f"more than {MAX_PIXELS // 10**6} million pixels: it could be a decompression bomb; scale it down"
  if isinstance(error, EOFError) or "truncated" in str(error).lower():
    return "the image is truncated"
  if isinstance(error, ValueError):
    return str(error)
  return f"the image is damaged ({error})"


def _is_empty(file):
  if isinstance(file, str | os.PathLike):
    return os.path.getsize(file) == 0
  return file.seek(0, os.SEEK_END) == 0


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Image.Image]:
  """An image file as Pillow has it, for its contents besides the pixels.

  Raises:
    UnreadableImage: as `read_image` does, also for what goes wrong within.
  """
  try:
    _with_heif(path)
    with Image.open(path) as image:
      _check_pixels(image)
      yield image
  except Exception as error:  # see read_image
    raise types.UnreadableImage(str(path), _reason(path, error)) from error


def write_image(
  path: str | os.PathLike,
  image: np.ndarray,
  *,
  form: str = "",
  profile: bytes = b"",
  like: str | os.PathLike | None = None,
  words: bool = False,
) -> None:
  """Writes a picture with a colour profile and, if wanted, what another one says about itself.

  Args:
    path: the file; it is overwritten, not written aside.
    image: uint8 [H, W, 3] RGB.
    form: suffix that tells the format, where that of `path` does not.
    profile: ICC, of the picture's colours (icc.rebuilt); b"" for none.
    like: an image file, the original of what is written.
    words: take over what its EXIF block says of camera, time, place, author and resolution; never its orientation,
      which `read_image` applied, nor thumbnails, maker's notes, XMP and image resources, which may show the original.

  Raises:
    OSError, ValueError: as Pillow raises them, for what cannot be written; with `like`, ValueError too where what was
      written cannot be read.
  """
  options, suffix = {}, (form or os.path.splitext(path)[1]).lower()
  _with_heif(f"x{suffix}")
  if suffix not in (known := Image.registered_extensions()):
    raise InputError(f"no picture is written with the suffix {suffix!r} here; choose another one, .jpg for instance")
  kind = known[suffix]
  if profile:
    options["icc_profile"] = profile
  if like is not None and words:
    with opened(like) as original:
      options["exif"] = _words(original)
  if suffix in (".jpg", ".jpeg"):
    options |= {"quality": 95, "subsampling": 0}
  elif suffix in (".webp", ".avif", *HEIF):
    options |= {"quality": 95}
  Image.fromarray(image).save(path, kind, **options)
  if like is not None:
    _read_again(path, kind, image.shape)


def _words(original):
  """The EXIF block, as bytes, of what an open image says about itself in words and numbers."""
  try:
    exif, kept = original.getexif(), Image.Exif()
    kept.update({tag: exif[tag] for tag in exif if tag in _WORDS and _is_short(exif[tag])})
    for block, known in _BLOCKS.items():
      found = {tag: value for tag, value in exif.get_ifd(block).items() if tag in known and _is_short(value)}
      if found:
        kept[block] = found
    return kept.tobytes()
  except Exception as error:  # see read_image
    raise InputError(f"its EXIF block is damaged and cannot be kept ({error}); leave its metadata out") from error


def _is_short(value):
  return not hasattr(value, "__len__") or len(value) <= _LONGEST


def _read_again(path, kind, shape):
  try:
    with Image.open(path, formats=[kind]) as written:
      written.load()
      size = written.size
  except Exception as error:  # see read_image
    raise InputError(f"what was written as {kind} cannot be read ({error}); choose another format") from error
  if size != (shape[1], shape[0]):
    raise InputError(f"what was written as {kind} has {size} pixels, not {shape[1::-1]}; choose another format")


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
  """Writes a uint8 [H, W, 3] RGB image as PNG, aside and then renamed."""
  path = pathlib.Path(path)
  aside = path.with_name(f".{path.name}.{os.getpid()}")
  write_image(aside, image, form=".png")
  aside.replace(path)


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
  """A uint8 [H, W, 3] RGB image after JPEG compression at `quality` (1..95, without chroma subsampling)."""
  with io.BytesIO() as file:
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file).convert("RGB"))


def to_png(image: np.ndarray) -> bytes:
  """A uint8 [H, W, 3] RGB image as a PNG file."""
  with io.BytesIO() as file:
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def to_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
  """A uint8 [H, W, 3] RGB image as a JPEG file of `quality` (1..95)."""
  with io.BytesIO() as file:
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()
