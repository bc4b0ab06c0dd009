"""Cameras and streams, by one that is made up: signals finish a recording, and do not throw it away."""

import fractions
import os
import signal
import threading
import time

import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import footage, hiding, job, methods, moving, options, video

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
live = pytest.importorskip("qm_vae.deidentify.video.live")

WIDTH, HEIGHT = 96, 64
NOTHING = types.Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Camera:
  """Grey pictures, a hundred a second, until it is closed."""

  width, height, rate, depth, colours, hdr, notes = WIDTH, HEIGHT, fractions.Fraction(25), 8, {}, {}, ()
  codec, pixel_format, sample_aspect_ratio = "h264", "yuv420p", fractions.Fraction(1)

  def __init__(self, *_, **__):
    self.over = threading.Event()

  def __iter__(self):
    number = 0
    while not self.over.is_set():
      yield video.Frame(number, 0.0, number, 0, False, lambda: np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
      number += 1
      time.sleep(0.01)

  def close(self):
    self.over.set()


class Stalled(Camera):
  """Twelve pictures, then nothing until it is closed."""

  def __iter__(self):
    for number, one in enumerate(super().__iter__()):
      if number == 12:
        self.over.wait(5)
        raise video.VideoError("the camera stopped sending")
      yield one


def work_of(finder, *flags):
  given = options.parse(["rtsp://camera", "out.mkv", *flags])
  detector = types.Detector(finder, 0.5, 0.25, {"name": "made up"})
  hider = hiding.Hider(methods.open_method("solid:size=16"))
  return job.Job(given, "", detector, hider, {"name": "solid"}, None)


def signalling(*signals):
  """A detector that sends the process the signals, one after the other, while it works on its sixth picture."""
  asked = []

  def find(_):
    asked.append(1)
    for how in signals if len(asked) == 6 else ():
      os.kill(os.getpid(), how)
      time.sleep(0.5)  # two signals that arrive before the first was handled are one
    return NOTHING

  return find


@pytest.fixture(autouse=True)
def handlers():
  before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
  for number in before:
    signal.signal(number, signal.default_int_handler)  # as the program does
  yield
  now = [signal.getsignal(number) for number in before]
  for number, usual in before.items():
    signal.signal(number, usual)
  assert now == [signal.default_int_handler] * 2  # whatever happened, they were put back


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_live_signal_detector_works_finishes_recording(how, tmp_path, monkeypatch):
  """A signal while the detector works finishes the recording."""
  monkeypatch.setattr(live.reader, "Reader", Camera)
  outcome = moving.protect(work_of(signalling(how)), "rtsp://camera", tmp_path / "out.mkv", tmp_path / "out.json")
  assert not outcome.failures and sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "out.mkv"]
  with av.open(str(tmp_path / "out.mkv")) as file:
    assert len(list(file.decode(video=0))) == outcome.record["summary"]["frames"] >= 6


def test_live_second_signal_throws_recording_away(tmp_path, monkeypatch):
  """A second signal throws the recording away."""
  monkeypatch.setattr(live.reader, "Reader", Camera)
  work = work_of(signalling(signal.SIGINT, signal.SIGINT))
  with pytest.raises(KeyboardInterrupt):
    moving.protect(work, "rtsp://camera", tmp_path / "out.mkv", tmp_path / "out.json")
  assert not list(tmp_path.iterdir())


def test_live_signal_finishes_recording_camera_stalls(tmp_path, monkeypatch):
  """A signal finishes the recording of a camera that stalls."""
  monkeypatch.setattr(live.reader, "Reader", Stalled)
  threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
  outcome = moving.protect(work_of(lambda _: NOTHING), "rtsp://camera", tmp_path / "out.mkv", None)
  assert not outcome.failures and (tmp_path / "out.mkv").stat().st_size


def test_live_told_faces_sought_more_often(tmp_path, monkeypatch):
  """It is told where faces are sought more often than asked."""
  monkeypatch.setattr(live.reader, "Reader", Camera)
  monkeypatch.setattr(footage, "_MEMORY", 8 * 2 * WIDTH * HEIGHT)
  work = work_of(lambda _: NOTHING, "--every=25", "--end=0.5")
  outcome = moving.protect(work, "rtsp://camera", tmp_path / "out.mkv", None)
  assert any("every 8 frames, not 25: of 96 x 64 pixels" in note for note in outcome.notes)
