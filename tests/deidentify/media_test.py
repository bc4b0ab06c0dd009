"""The program on files that people have: variable rates, turned pictures, several tracks, torn files, full disks."""

import fractions
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rtsp_server import Server

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
COUNT, WIDTH, HEIGHT = 40, 160, 120
FAST = ["--scale=160", "--min-size=24", "--every=4"]


@pytest.fixture(scope="module")
def pictures():
  """Frames with a drawn face that moves."""
  face = synthetic.make(num_people=3, images_per_person=1, frame_size=96, seed=0)[1].image
  made = []
  for n in range(COUNT):
    image = np.full((HEIGHT, WIDTH, 3), 180, np.uint8)
    image[12:108, 10 + n : 106 + n] = face
    made.append(image)
  return made


def write(path, images, codec="libx264", form="yuv420p", base=None, times=None, turned=None, audio=0, **options):
  out = av.open(str(path), "w", options=options)
  extra = {"x265-params": "log-level=error"} if codec == "libx265" else {}
  video = out.add_stream(codec, rate=25, options=extra)
  video.height, video.width = images[0].shape[:2]
  video.pix_fmt = form
  base = base or fractions.Fraction(1, 25)
  video.codec_context.time_base = video.time_base = base
  if turned is not None:
    video.set_display_rotation(turned)
  sounds = [out.add_stream("aac", rate=44100, layout="mono") for _ in range(audio)]
  for n, image in enumerate(images):
    picture = av.VideoFrame.from_ndarray(image, format="rgb24")
    picture.pts, picture.time_base = (n if times is None else int(times[n])), base
    for packet in video.encode(picture):
      out.mux(packet)
    for k, sound in enumerate(sounds):
      wave = np.sin(np.arange(1764) * (k + 1) / 30).astype(np.float32)[None]
      heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
      heard.sample_rate, heard.pts = 44100, n * 1764
      for packet in sound.encode(heard):
        out.mux(packet)
  for stream in (video, *sounds):
    for packet in stream.encode(None):
      out.mux(packet)
  out.close()
  return path


def read(path):
  """(frames' times, size, bytes of every copied packet, duration)."""
  with av.open(str(path)) as file:
    packets = [p for p in file.demux() if p.size]
    copied = [(p.stream.index, bytes(p)) for p in packets if p.stream.type != "video"]
    duration = file.duration / av.time_base
  with av.open(str(path)) as file:
    times = [frame.time for frame in file.decode(video=0)]
    size = file.streams.video[0].width, file.streams.video[0].height
  return np.array(times), size, sorted(copied), duration


def protect(source, target, *flags):
  status = program.main([str(source), str(target), *FAST, *flags])
  record = pathlib.Path(f"{target}.json")
  return status, json.loads(record.read_text()) if record.exists() else None


def same(source, target, size=(WIDTH, HEIGHT)):
  before, after = read(source), read(target)
  assert len(before[0]) == len(after[0]) and after[1] == size
  np.testing.assert_allclose(np.diff(before[0]), np.diff(after[0]), atol=1e-3)  # a tick of a container's clock
  assert before[2] == after[2]
  assert abs(before[3] - after[3]) < np.diff(before[0]).max() + 1e-3


def test_media_sound_rate_duration_survive_face(pictures, tmp_path):
  """Sound rate and duration survive and the face is gone."""
  source = write(tmp_path / "in.mp4", pictures, audio=2)
  status, record = protect(source, tmp_path / "out.mp4", "--preview")
  assert status == program.OK and record["summary"]["frames"] == COUNT
  same(source, tmp_path / "out.mp4")
  with av.open(str(tmp_path / "out.mp4")) as file:
    for n, frame in enumerate(file.decode(video=0)):
      centre = frame.to_ndarray(format="rgb24")[40:80, 40 + n : 76 + n]
      assert centre.max() < 40  # black, and what the codec makes of it
  assert (tmp_path / "out.mp4.preview.png").stat().st_size > 1000
  assert program.main([str(source), str(tmp_path / "quiet.mkv"), *FAST, "--no-audio", "--codec=vp9"]) == program.OK
  assert not read(tmp_path / "quiet.mkv")[2]


def test_media_variable_rate_ten_bits(pictures, tmp_path):
  """Variable rate and ten bits."""
  times = np.cumsum(np.random.default_rng(0).integers(300, 9000, COUNT))
  source = write(tmp_path / "in.mp4", pictures, base=fractions.Fraction(1, 90000), times=times - times[0])
  assert protect(source, tmp_path / "out.mp4")[0] == program.OK
  same(source, tmp_path / "out.mp4")
  source = write(tmp_path / "in.mkv", pictures, "libx265", "yuv420p10le")
  status, record = protect(source, tmp_path / "out.mkv")
  assert status == program.OK and not record["notes"]
  same(source, tmp_path / "out.mkv")
  with av.open(str(tmp_path / "out.mkv")) as file:
    assert file.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


def test_media_turned_pictures_come_upright_odd(pictures, tmp_path):
  """Turned pictures come upright and odd sides become even."""
  lying = [np.ascontiguousarray(np.rot90(image, -1)) for image in pictures]
  source = write(tmp_path / "in.mp4", lying, turned=90)
  status, record = protect(source, tmp_path / "out.mp4")
  assert status == program.OK and record["summary"]["hidden"] >= COUNT
  same(source, tmp_path / "out.mp4")
  odd = [np.ascontiguousarray(image[:-1, :-1]) for image in pictures]
  source = write(tmp_path / "odd.mkv", odd, "ffv1")
  status, record = protect(source, tmp_path / "even.mkv")
  assert status == program.OK and "159 x 119 became 160 x 120" in record["notes"][0]
  same(source, tmp_path / "even.mkv")


def test_media_span_own_sound(pictures, tmp_path):
  """A span has its own sound."""
  source = write(tmp_path / "in.mp4", pictures, audio=1)
  status, record = protect(source, tmp_path / "out.mp4", "--start=0.4", "--end=1.2")
  times, _, copied, duration = read(tmp_path / "out.mp4")
  assert status == program.OK and len(times) == record["summary"]["frames"] == 20
  assert abs(duration - 0.8) < 0.06 and 0 < len(copied) < len(read(source)[2])


def test_media_track_left_second_pass(pictures, tmp_path):
  """A track is left in a second pass."""
  source = write(tmp_path / "in.mp4", pictures)
  _, record = protect(source, tmp_path / "one.mp4")
  best = max(record["tracks"], key=lambda track: track["found"])["track"]
  keep = f"--keep={tmp_path / 'one.mp4.json'}:{best}"
  status, again = protect(source, tmp_path / "two.mp4", keep)
  left = {track["track"]: track["left"] for track in again["tracks"]}
  assert status == program.OK and left[best] == COUNT and sum(left.values()) == COUNT
  assert program.main([str(source), str(tmp_path / "three.mp4"), keep]) == program.FAILED  # other settings
  assert not (tmp_path / "three.mp4").exists()


def test_media_torn_empty_no_video_fails(pictures, tmp_path, capsys):
  """What is torn empty or no video fails and leaves nothing clear."""
  whole = write(tmp_path / "whole.mp4", pictures, audio=1).read_bytes()
  fast = write(tmp_path / "fast.mp4", pictures, movflags="faststart").read_bytes()
  matroska = write(tmp_path / "whole.mkv", pictures, audio=1).read_bytes()
  from PIL import Image

  Image.fromarray(pictures[0]).save(tmp_path / "still.png")
  cases = {
    "torn.mp4": (whole[: len(whole) // 2], "cannot be opened", False),
    "torn_fast.mp4": (fast[: len(fast) * 9 // 10], "ended early", True),
    "torn.mkv": (matroska[: len(matroska) // 2], "ended early", True),
    "empty.mp4": (b"", "empty", False),
    "still.mp4": ((tmp_path / "still.png").read_bytes(), "still picture", False),
    "words.mp4": (b"who is who " * 50, "cannot be opened", False),
  }
  safe = tmp_path / "safe"
  safe.mkdir()
  for name, (data, printed, written) in cases.items():
    (tmp_path / name).write_bytes(data)
    status, record = protect(tmp_path / name, safe / name)
    assert status == program.FAILED and printed in capsys.readouterr().err, name
    assert (safe / name).exists() == written == (record is not None), name
    if written:
      assert record["failures"] and len(read(safe / name)[0]) == record["summary"]["frames"] < COUNT
  assert not list(safe.glob(".*"))


def test_media_subtitle_container_cannot_hold_named(pictures, tmp_path, capsys):
  """A subtitle that the container cannot hold is named."""
  (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nHello\n\n")
  source = write(tmp_path / "plain.mkv", pictures)
  names = (source, tmp_path / "words.srt")
  with av.open(str(names[0])) as one, av.open(str(names[1])) as other, av.open(str(tmp_path / "in.mkv"), "w") as out:
    targets = [out.add_stream_from_template(file.streams[0]) for file in (one, other)]
    for file, target in ((other, targets[1]), (one, targets[0])):
      for packet in file.demux():
        if packet.size:
          packet.stream = target
          out.mux(packet)
  assert protect(tmp_path / "in.mkv", tmp_path / "out.mkv")[0] == program.OK
  assert [p[1] for p in read(tmp_path / "out.mkv")[2]] == [b"Hello"]
  assert protect(tmp_path / "in.mkv", tmp_path / "out.avi")[0] == program.FAILED
  assert "--no-subtitles" in capsys.readouterr().err and not (tmp_path / "out.avi").exists()


def started(*arguments):
  env = os.environ | {"JAX_PLATFORMS": "cpu"}
  line = [sys.executable, "-m", "qm_vae.deidentify", *map(str, arguments)]
  # What a shell starts in its background inherits deaf ears for Ctrl-C.
  hears = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
  return subprocess.Popen(line, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=hears)


def wait_for(folder, pattern):
  for _ in range(1200):
    if any(path.stat().st_size for path in folder.glob(pattern)):
      return
    time.sleep(0.1)
  raise AssertionError(f"{pattern} never came")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_media_interrupted_run_leaves_nothing_under(how, pictures, tmp_path):
  """An interrupted run leaves nothing under the final name."""
  source = write(tmp_path / "in.mp4", pictures * 10)
  safe = tmp_path / "safe"
  safe.mkdir()
  running = started(source, safe / "out.mp4", "--window=8", "--scale=160")
  wait_for(safe, ".out.mp4.json.*.part")
  running.send_signal(how)
  _, printed = running.communicate(timeout=60)
  left = [path.name for path in safe.iterdir()]
  if how == signal.SIGKILL:
    assert left and all(name.endswith(".part") for name in left)
    assert protect(write(tmp_path / "short.mp4", pictures), safe / "out.mp4")[0] == program.OK
    assert sorted(path.name for path in safe.iterdir()) == ["out.mp4", "out.mp4.json"]  # the debris is gone
  else:
    assert running.returncode == program.FAILED and "interrupted" in printed and not left


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full here")
def test_media_disk_takes_nothing_more_fails(pictures, tmp_path, monkeypatch, capsys):
  """A disk that takes nothing more fails."""
  from qm_vae.deidentify.video.aside import Aside

  source = write(tmp_path / "in.mp4", pictures)
  real = Aside.__init__

  def on_full_disk(self, final):
    real(self, final)
    if final.suffix == ".mkv":
      self.path.unlink()
      self.path.symlink_to("/dev/full")

  monkeypatch.setattr(Aside, "__init__", on_full_disk)
  status, _ = protect(source, tmp_path / "out.mkv", "--quality=1")
  assert status == program.FAILED and "No space left" in capsys.readouterr().err
  assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_media_network_stream_written_comes(pictures, tmp_path, capsys):
  """A network stream is written as it comes."""
  with Server(lambda n: pictures[n % COUNT], WIDTH, HEIGHT) as server:
    status, record = protect(f"rtsp://127.0.0.1:{server.port}/live", tmp_path / "out.mkv", "--end=6")
  assert status == program.OK, capsys.readouterr().err
  assert record["summary"]["latency"]["mean"] > 0 and record["summary"]["dropped"] >= 0
  times, size, _, duration = read(tmp_path / "out.mkv")
  assert len(times) == record["summary"]["frames"] > 20 and size == (WIDTH, HEIGHT) and 4 < duration < 7
  assert protect("rtsp://127.0.0.1:9/none", tmp_path / "none.mkv")[0] == program.FAILED


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_media_stream_interrupted_finished(how, pictures, tmp_path):
  """A stream that is interrupted is finished."""
  safe = tmp_path / "safe"
  safe.mkdir()
  with Server(lambda n: pictures[n % COUNT], WIDTH, HEIGHT) as server:
    running = started(f"rtsp://127.0.0.1:{server.port}/live", safe / "out.mkv", "--scale=160", "--min-size=24")
    wait_for(safe, ".out.mkv.json.*.part")
    time.sleep(2)
    running.send_signal(how)
    _, printed = running.communicate(timeout=60)
  assert running.returncode == program.OK, printed
  assert sorted(path.name for path in safe.iterdir()) == ["out.mkv", "out.mkv.json"]
  frames = json.loads((safe / "out.mkv.json").read_text())["summary"]["frames"]
  assert len(read(safe / "out.mkv")[0]) == frames > 10
