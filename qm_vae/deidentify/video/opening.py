"""Opening what a name means: a file, a network stream, or a camera."""

import pathlib
import re
import sys

import av
import av.logging

from qm_vae.deidentify.video import VideoError

_OPEN_SECONDS, _READ_SECONDS = 15.0, 15.0
_LIVE = {
  "rtsp": {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"},
  "v4l2": {"fflags": "nobuffer", "flags": "low_delay"},
}
_GIF_LOOPS = re.compile(rb"\x21\xff\x0bNETSCAPE2\.0\x03\x01(..)", re.DOTALL)
_GIF_HEAD = 2**16  # bytes in which it must come


def open_container(name: str, live: bool) -> av.container.InputContainer:
  """The file, stream or camera.

  Raises:
    VideoError: where it cannot be opened.
  """
  options, form, place = {}, None, place_of(name)
  if live and not name.isdecimal():
    options, place = _LIVE["rtsp"], name
  elif live:
    form, place, options = "v4l2", f"/dev/video{name}", _LIVE["v4l2"]
    if not sys.platform.startswith("linux"):
      raise VideoError(
        f"camera {name} cannot be opened: cameras are read through Video4Linux, which {sys.platform} has not; give a "
        "file, or an rtsp:// address"
      )
    if not pathlib.Path(place).exists():
      raise VideoError(f"there is no camera {name}: {place} does not exist")
  try:
    timeout = (_OPEN_SECONDS, _READ_SECONDS) if live else None
    return av.open(place, format=form, options=options, timeout=timeout)
  except (av.error.FFmpegError, OSError) as error:
    raise VideoError(f"{name} cannot be opened: {_reason(name, live, error)}") from None


def has_sound(name: str) -> bool:
  """Whether a file has a sound track; False for what cannot be opened."""
  try:
    with av.open(place_of(name)) as container:
      return bool(container.streams.audio)
  except (av.error.FFmpegError, OSError, ValueError):
    return False


def place_of(name: str) -> str:
  """What FFmpeg opens for the path `name`: of "cat:1.mp4" it would make something else."""
  return f"file:{name}" if pathlib.Path(name).exists() else name


def _reason(name, live, error):
  if not live and pathlib.Path(name).exists() and not pathlib.Path(name).stat().st_size:
    return "the file is empty"
  return getattr(error, "strerror", None) or str(error)


def codec_of(container: av.container.InputContainer, index: int) -> str:
  """How FFmpeg calls the codec of a video stream that it cannot decode."""
  level = av.logging.get_level()
  av.logging.set_level(av.logging.INFO)  # the description goes through the log
  try:
    description = container.dumps_format()
  finally:
    av.logging.set_level(level)
  match = re.search(rf"Stream #\d+:{index}\b.*?Video: ([^,\n]+)", description)
  return match[1] if match else "unknown"


def gif_loops(name: str) -> int:
  """How often a GIF says that it is repeated: 0 for ever, -1 where it says nothing and is shown once."""
  with open(name, "rb") as file:
    match = _GIF_LOOPS.search(file.read(_GIF_HEAD))
  return int.from_bytes(match[1], "little") if match else -1
