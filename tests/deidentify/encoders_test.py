"""What the user says of the encoder: rate, preset and another encoder of the same codec."""

import json

import pytest
import recipes

from qm_vae.deidentify import options, video
from qm_vae.deidentify.video import encoding
from qm_vae.errors import InputError

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  return recipes.video(tmp_path_factory.mktemp("encoders") / "in.mp4", 50)


def settings_of(path):
  """x264's own words about how it was called."""
  data = path.read_bytes()
  at = data.index(b"x264 - core")
  return data[at : data.index(b"\0", at)].decode("ascii", "replace")


def test_encoders_bitrate_takes_the_place_of_quality(source, tmp_path):
  """The rate that was asked for is the encoder's aim, and else the quality is."""
  recipes.copy(source, tmp_path / "rate.mp4", bitrate=300_000)
  assert "bitrate=300" in settings_of(tmp_path / "rate.mp4") and "rc=abr" in settings_of(tmp_path / "rate.mp4")
  recipes.copy(source, tmp_path / "usual.mp4", quality=33)
  assert "rc=crf" in settings_of(tmp_path / "usual.mp4") and "crf=33.0" in settings_of(tmp_path / "usual.mp4")


def test_encoders_preset(source, tmp_path):
  """The preset reaches the encoder; one that there is not is an error that names it, and VP9 has none."""
  recipes.copy(source, tmp_path / "fast.mp4", preset="ultrafast")
  assert "cabac=0" in settings_of(tmp_path / "fast.mp4")
  with pytest.raises(video.VideoError, match="--preset=hasty"):
    recipes.copy(source, tmp_path / "x.mp4", preset="hasty")
  with pytest.raises(video.VideoError, match="vp9 has no presets"):
    recipes.copy(source, tmp_path / "x.webm", codec="vp9", preset="fast")
  assert [path.name for path in tmp_path.iterdir()] == ["fast.mp4"]


def test_encoders_another_one(source, tmp_path, monkeypatch):
  """Another encoder of a codec writes 8 bits at a rate by the picture's size; one that is missing is named."""
  monkeypatch.setitem(encoding.CODECS, "h264", "libx264 stands for a hardware encoder here")
  monkeypatch.setattr(encoding, "_BITS", 1.0)
  plan = encoding.plan(recipes_like(), "h264", "mp4", encoding.Wish("libx264"))
  assert (plan.pixel_format, plan.bitrate, plan.options) == ("yuv420p", 160 * 120 * 25, {})
  assert "480 kbit/s" in plan.notes[0]
  with pytest.raises(video.VideoError, match="no encoder 'h264_none'"):
    encoding.of_encoder("h264_none")
  with pytest.raises(video.VideoError, match="writes mp3"):
    encoding.of_encoder("libmp3lame")


def test_encoders_of_hardware_have_their_own_quality():
  """NVIDIA's and Intel's encoders take a constant quality; 8 bits; HEVC in MP4 is hvc1."""
  known = {"h264_nvenc": "cq", "hevc_nvenc": "cq", "h264_qsv": "global_quality"}
  found = [name for name in known if name in av.codecs_available]
  if not found:
    pytest.skip("this FFmpeg was built without hardware encoders")
  for name in found:
    plan = encoding.plan(recipes_like(), encoding.of_encoder(name), "mp4", encoding.Wish(name, 24, None, "fast"))
    assert plan.options[known[name]] == "24" and plan.options["preset"] == "fast" and plan.bitrate is None
    assert plan.tag == ("hvc1" if name.startswith("hevc") else "")


@pytest.mark.parametrize(
  ("argument", "message"),
  [
    ("--codec=h265", "is no codec"),
    ("--bitrate=fast", "is no rate"),
    ("--replacewith=image", "the picture is missing"),
    ("--replaceimg=a.png", "--replaceimg is of --method=image"),
    ("--mosaic-size=20", "--mosaic-size is of --method=mosaic"),
    ("--objects=plates.onnx", "is not FILE.onnx:CLASS"),
  ],
)
def test_encoders_refused(argument, message, capsys):
  """What cannot be meant is refused on the command line."""
  with pytest.raises(SystemExit) as stopped:
    options.parse(["a.mp4", "b.mp4", argument])
  assert stopped.value.code == options.USAGE and message in capsys.readouterr().err


def test_encoders_understood():
  """Rates are in bits, encoders' names pass, and a rate and a quality exclude one another."""
  given = options.parse(["a.mp4", "b.mp4", "--bitrate=1.5M", "--codec=hevc_nvenc", "--objects=p.onnx:plate, 3"])
  assert (given.bitrate, given.codec, given.objects) == (1_500_000, "hevc_nvenc", ("p.onnx", ("plate", "3")))
  with pytest.raises(SystemExit):
    options.parse(["a.mp4", "b.mp4", "--bitrate=800k", "--quality=20"])
  img = options.parse(["a", "b", "--replacewith=img", "--replaceimg=x.png"])
  assert img.method == "image:file=x.png"
  assert options.parse(["a", "b", "--method=mosaic", "--mosaicsize=20"]).method == "mosaic:pixels=20"


def recipes_like():
  """What a plan asks a Reader."""

  class Like:
    width, height, rate, depth, hdr, colours, pixel_format = 160, 120, 25, 8, {}, {}, "yuv420p"
    sample_aspect_ratio = 1

  return Like


def test_first_line_of_a_run_with_sound(tmp_path, monkeypatch, capsys):
  """A run with sound begins with a word about voices; one without sound, or that leaves it out, does not."""
  from qm_vae.deidentify import program

  monkeypatch.setattr(program.job, "open_job", lambda *_: (_ for _ in ()).throw(InputError("enough")))
  (tmp_path / "in").mkdir()
  recipes.video(tmp_path / "in" / "loud.mp4", 5, audio="aac")
  recipes.video(tmp_path / "quiet.mp4", 5)
  for source, flags, told in (
    ("in/loud.mp4", [], True), ("in", [], True), ("in/loud.mp4", ["--no-audio"], False), ("quiet.mp4", [], False)
  ):  # fmt: skip
    program.run(options.parse([str(tmp_path / source), str(tmp_path / "out"), *flags]), json.dumps(flags))
    lines = capsys.readouterr().err.splitlines()
    assert ("voices identify people" in lines[0]) == told and len(lines) == 1 + told
