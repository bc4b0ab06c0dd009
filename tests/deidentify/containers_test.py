"""Containers and codecs: what cannot be read or written is named, what can be keeps its shape and sound."""

import fractions

import numpy as np
import pytest

from qm_vae.deidentify import video
from qm_vae.deidentify.video.codecs import CODECS, FORMATS, SUFFIXES

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader, writer = (
  pytest.importorskip("qm_vae.deidentify.video.reader"),
  pytest.importorskip("qm_vae.deidentify.video.writer"),
)

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
  made.notes += one.notes
  one.close()
  return made


def test_containers_codec_nobody_decode_named_file(tmp_path):
  """A codec that nobody can decode is named with the file."""
  whole = write(tmp_path / "in.mp4").read_bytes()
  at = whole.rindex(b"avc1")  # the sample's description; an earlier one is the file's brand
  (tmp_path / "odd.mp4").write_bytes(whole[:at] + b"zzq1" + whole[at + 4 :])
  with pytest.raises(video.VideoError, match=r"odd\.mp4 cannot be decoded: .*zzq1.*; convert it first"):
    reader.Reader(str(tmp_path / "odd.mp4"))


def heard(path):
  """Samples of the sound, and seconds by which it begins after the pictures."""
  with av.open(str(path)) as file:
    blocks = list(file.decode(audio=0))
  with av.open(str(path)) as file:
    first = next(file.decode(video=0))
  return sum(block.samples for block in blocks), blocks[0].time - first.time


@pytest.mark.parametrize("suffix", [".ts", ".mts", ".m2ts"])
@pytest.mark.parametrize(("codec", "sound"), [("libx264", "aac"), ("libx264", "libmp3lame"), ("libx265", "ac3")])
def test_containers_transport_streams_hold_pictures_sound(codec, sound, suffix, tmp_path):
  """Transport streams hold the pictures and sound that they can."""
  source = write(tmp_path / "in.mp4", codec, sound=sound)
  made = copy(source, tmp_path / f"out{suffix}")
  assert CODECS[made.codec] == codec and made.frames == COUNT
  again = copy(tmp_path / f"out{suffix}", tmp_path / f"again{suffix}")  # sound in the form of a transport stream
  assert again.frames == COUNT
  before = heard(source)
  for name in (f"out{suffix}", f"again{suffix}"):
    with av.open(str(tmp_path / name)) as file:
      assert file.format.name == "mpegts" and len(list(file.decode(video=0))) == COUNT
    samples, late = heard(tmp_path / name)
    # Two blocks of AAC, of the encoder's padding, which MP4 marks and a transport stream does not; one picture.
    assert abs(samples - before[0]) <= 2048 and abs(late - before[1]) < 0.04


def test_containers_transport_stream_cannot_hold_named(tmp_path):
  """What a transport stream cannot hold is named with what helps."""
  source = write(tmp_path / "in.mkv", sound="flac")
  with pytest.raises(video.VideoError, match=r"audio \(flac\) .*; give it the suffix of the original, or .*--no-audio"):
    copy(source, tmp_path / "out.ts")
  assert copy(source, tmp_path / "out.ts", audio=False).frames == COUNT
  with pytest.raises(video.VideoError, match="cannot hold vp9; choose another --codec"):
    copy(source, tmp_path / "other.ts", codec="vp9", audio=False)
  assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.ts"]


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in FORMATS])
def test_containers_suffix_only_read_refused_one(suffix, tmp_path):
  """A suffix that is only read is refused with one that is written."""
  source = write(tmp_path / "in.mp4")
  with pytest.raises(video.VideoError, match=r"protect it by itself, to clip\.mp4 for instance"):
    copy(source, tmp_path / f"clip{suffix}")


def shape(path):
  """Width of a pixel by its height, as a player is told."""
  with av.open(str(path)) as file:
    next(file.decode(video=0))
    return file.streams.video[0].sample_aspect_ratio


@pytest.mark.parametrize(
  ("codec", "suffix"),
  [("h264", ".avi"), *((codec, suffix) for codec in ("h264", "hevc") for suffix in (".mp4", ".mkv", ".mov", ".ts"))],
)
def test_containers_pixels_not_square_keep_shape(codec, suffix, tmp_path):
  """Pixels that are not square keep their shape."""
  source = write(tmp_path / "in.mp4", aspect=fractions.Fraction(4, 3))
  copy(source, tmp_path / f"out{suffix}", codec=codec)
  assert shape(source) == shape(tmp_path / f"out{suffix}") == fractions.Fraction(4, 3)


@pytest.mark.parametrize(("turned", "aspect"), [(90, (3, 4)), (-90, (3, 4)), (180, (4, 3))])
def test_containers_pixels_turned_picture(turned, aspect, tmp_path):
  """Pixels are turned with their picture."""
  source = write(tmp_path / "in.mp4", aspect=fractions.Fraction(4, 3), turned=turned)
  made = copy(source, tmp_path / "out.mp4")
  assert shape(tmp_path / "out.mp4") == fractions.Fraction(*aspect) and any("turned" in note for note in made.notes)


def test_containers_told_shape_pixels_lost(tmp_path):
  """It is told where the shape of pixels is lost."""
  source = write(tmp_path / "in.mp4", aspect=fractions.Fraction(4, 3))
  assert any("its pixels are 4 : 3, which vp9" in note for note in copy(source, tmp_path / "out.webm").notes)
  assert not copy(write(tmp_path / "square.mp4"), tmp_path / "square.webm").notes
