"""Containers and codecs: what cannot be read or written is named, what can be keeps its shape and sound."""

import fractions

import numpy as np
import pytest

from qm_vae import video

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader, writer = pytest.importorskip("qm_vae.video.reader"), pytest.importorskip("qm_vae.video.writer")

COUNT, WIDTH, HEIGHT = 30, 160, 120


def write(path, codec="libx264", aspect=None, turned=None, sound="", form=None):
  """A short video, with pixels of the shape `aspect`."""
  out = av.open(str(path), "w", format=form)
  pictures = out.add_stream(codec, rate=25)
  pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
  if aspect:
    pictures.codec_context.sample_aspect_ratio = aspect
  if turned is not None:
    pictures.set_display_rotation(turned)
  heard = out.add_stream(sound, rate=48000, layout="stereo") if sound else None
  for n in range(COUNT):
    picture = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 8 * n, np.uint8), format="rgb24")
    picture.pts, picture.time_base = n, fractions.Fraction(1, 25)
    out.mux(pictures.encode(picture))
    if heard:
      wave = np.random.default_rng(n).normal(0, 0.1, (2, 1920)).astype(np.float32)
      noise = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
      noise.sample_rate, noise.pts = 48000, 1920 * n
      out.mux(heard.encode(noise))
  for stream in (pictures, heard) if heard else (pictures,):
    out.mux(stream.encode(None))
  out.close()
  return path


def copy(source, target, **options):
  """`source` through Reader and Writer."""
  one = reader.Reader(str(source))
  made = writer.Writer(target, one, **options)
  for item in one:
    made.write(item.pixels(), item.ticks, item.duration) if isinstance(item, video.Frame) else made.copy(item)
  made.close()
  one.close()
  return made


def test_a_codec_that_nobody_can_decode_is_named_with_the_file(tmp_path):
  whole = write(tmp_path / "in.mp4").read_bytes()
  at = whole.rindex(b"avc1")  # the sample's description; an earlier one is the file's brand
  (tmp_path / "odd.mp4").write_bytes(whole[:at] + b"zzq1" + whole[at + 4 :])
  with pytest.raises(video.VideoError, match=r"odd\.mp4 cannot be decoded: .*zzq1.*; convert it first"):
    reader.Reader(str(tmp_path / "odd.mp4"))
